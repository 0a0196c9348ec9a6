//! The service that handlers, servers and operators call.
//!
//! A request's future is as large as the largest of them, and is moved several times before it begins. So all that is
//! larger than that of a look-up is boxed: look-ups must not carry it around.

use std::{sync::Arc, time::Duration};

use model::{
    DatabaseId, Digest, IdempotencyKey, Incarnation, Name, Registration, RequestId, Revision, Targets,
};
use rpc::{
    Refusal,
    backup::{BackupPiece, BackupRequest},
    conditions::ConditionsReport,
    controller::*,
    directives::{DirectiveInfo, DirectiveTally, DirectivesReport, Question, SendersInfo, TargetsCount},
    events::{EventsPage, EventsRequest},
    handshake::Role,
    load::{ClientsOf, ClientsReport, LoadsInfo, ServerUsage},
    placement::{PlacementAnswer, PlacementRequest},
    tarpc::context::Context,
    time_limit::{Overrun, Verdict},
};

use tracing::Instrument as _;

use crate::node::Node;

/// Answers for one controller, on a connection of somebody in this role. Cheap to clone.
#[derive(Clone)]
pub struct Api(pub Arc<Node>, pub Role);

impl ControllerApi for Api {
    async fn status(self, _: Context) -> ControllerStatus {
        self.0.status()
    }

    async fn look_up(self, _: Context, request: LookUp) -> Result<DatabaseInfo, Refusal> {
        self.0.look_up(request).await
    }

    async fn route(self, _: Context, request: RouteRequest) -> Result<Route, Refusal> {
        self.0.route(request).await
    }

    async fn watch(self, _: Context, since: Revision, wait_ms: u32) -> Watched {
        self.0.watch(since, Duration::from_millis(wait_ms.into())).await
    }

    async fn operate(
        self,
        _: Context,
        request: RequestId,
        operation: Operation,
    ) -> Result<Operated, Refusal> {
        let span = match operation {
            // An event tells of each, and a span costs more than placing it.
            Operation::CreateDatabase { .. } => tracing::debug_span!("operate", %request),
            _ => tracing::info_span!("operate", %request),
        };
        Box::pin(self.0.operate(self.1, request, operation)).instrument(span).await
    }

    async fn databases(self, _: Context, after: Option<Name>, limit: u32) -> DatabasePage {
        self.0.databases(after.as_ref(), limit)
    }

    async fn servers(self, _: Context) -> Vec<ServerInfo> {
        self.0.servers()
    }

    async fn handlers(self, _: Context) -> Vec<HandlerInfo> {
        self.0.handlers()
    }

    async fn controllers(self, _: Context) -> Vec<ControllerInfo> {
        self.0.controllers()
    }

    async fn digest(self, _: Context) -> Digest {
        Box::pin(self.0.digest()).await
    }

    async fn verifier(self, _: Context, user: String) -> Option<String> {
        self.0.verifier(&user)
    }

    async fn users(self, _: Context) -> Vec<Name> {
        self.0.users()
    }

    async fn events(self, _: Context, request: EventsRequest) -> Result<EventsPage, Refusal> {
        Box::pin(self.0.events(request)).await
    }

    async fn register_server(
        self,
        _: Context,
        registration: Registration,
        incarnation: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        Box::pin(self.0.register_server(registration, incarnation)).await
    }

    async fn heartbeat(self, _: Context, heartbeat: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        Box::pin(self.0.heartbeat(heartbeat)).await
    }

    async fn report_time_limit(self, _: Context, overrun: Overrun) -> Result<Verdict, Refusal> {
        Box::pin(self.0.report_time_limit(overrun)).await
    }

    async fn register_handler(
        self,
        _: Context,
        name: Name,
        address: String,
        location: String,
    ) -> Result<HandlerRegistered, Refusal> {
        Box::pin(self.0.register_handler(name, address, location)).await
    }

    async fn backup(self, _: Context, request: BackupRequest) -> Option<BackupPiece> {
        Box::pin(self.0.backup(request)).await
    }

    async fn reserve_database(
        self,
        _: Context,
        request: RequestId,
        key: IdempotencyKey,
    ) -> Result<DatabaseId, Refusal> {
        Box::pin(self.0.reserve_database(request, key)).await
    }

    async fn directives(self, _: Context) -> Vec<DirectiveInfo> {
        self.0.directives()
    }

    async fn report_directives(self, _: Context, report: DirectivesReport) -> Result<Vec<Question>, Refusal> {
        self.0.report_directives(report)
    }

    async fn count_targets(
        self,
        _: Context,
        directive: Name,
        targets: Targets,
    ) -> Result<TargetsCount, Refusal> {
        self.0.count_targets(directive, targets).await
    }

    async fn directive_tallies(self, _: Context) -> Result<Vec<DirectiveTally>, Refusal> {
        self.0.directive_tallies()
    }

    async fn report_usage(self, _: Context, usage: ServerUsage) -> Result<(), Refusal> {
        self.0.report_usage(&usage)
    }

    async fn report_clients(self, _: Context, report: ClientsReport) -> Result<(), Refusal> {
        self.0.report_clients(&report)
    }

    async fn loads(self, _: Context) -> Result<LoadsInfo, Refusal> {
        self.0.loads()
    }

    async fn placement(self, _: Context, request: PlacementRequest) -> Result<PlacementAnswer, Refusal> {
        Box::pin(self.0.placement(request)).await
    }

    async fn clients_of(self, _: Context, database: DatabaseRef) -> Result<Vec<ClientsOf>, Refusal> {
        self.0.clients_of(&database)
    }

    async fn senders(self, _: Context) -> SendersInfo {
        self.0.senders()
    }

    async fn report_conditions(self, _: Context, report: ConditionsReport) -> Result<(), Refusal> {
        self.0.report_conditions(report)
    }
}

#[cfg(test)]
mod tests {
    use rpc::tarpc::server::Serve as _;

    use super::*;

    fn size<F>(_: impl FnOnce(Api, Context, ControllerApiRequest) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn requests_are_not_made_larger_by_those_that_are_rare() {
        let bytes = size(|api, context, request| api.serve().serve(context, request));
        assert!(bytes < 1_536, "{bytes} bytes are moved for each request: box the one that grew");
    }
}
