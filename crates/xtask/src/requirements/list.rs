//! The requirements of sections D to G: servers that find errors, clients that get over them, what may be said, and who
//! may say it.

/// One of them.
#[derive(Debug)]
pub struct Requirement {
    pub section: char,
    pub number: u32,
    pub what: &'static str,
}

const fn of(section: char, number: u32, what: &'static str) -> Requirement {
    Requirement { section, number, what }
}

/// All of them.
pub const LIST: [Requirement; 57] = [
    of('D', 41, "a server watches its machine, itself and what it depends on"),
    of('D', 42, "which events are looked at can be chosen"),
    of('D', 43, "errors of statements are counted by class"),
    of('D', 44, "events, errors or both raise a condition"),
    of('D', 45, "a failover is known before it happens, or while it does"),
    of('D', 46, "other conditions can be added"),
    of('D', 47, "a condition sends directives to each client by itself"),
    of('D', 48, "directives travel within the session"),
    of('D', 49, "they stand in a response, before its end"),
    of('D', 50, "or come on another session"),
    of('D', 51, "a server keeps itself from failing"),
    of('D', 52, "sessions begin with authentication, and end"),
    of('D', 53, "a server alone tells its clients"),
    of('D', 54, "so does one of a cluster that fails over"),
    of('D', 55, "and one behind a gateway that many tenants share"),
    of('D', 56, "client and server are far apart"),
    of('D', 57, "client and server are on one machine"),
    of('D', 58, "the form of directives knows no carrier"),
    of('D', 59, "a gateway watches, finds and tells by itself"),
    of('D', 60, "a device outside watches, the server finds and tells"),
    of('D', 61, "a device outside watches and finds, the server tells"),
    of('D', 62, "the same between any two peers with sessions"),
    of('E', 63, "one driver serves any application"),
    of('E', 64, "applications need no logic of their own"),
    of('E', 65, "a reader within the parser takes directives out"),
    of('E', 66, "a processor obeys them, and says so"),
    of('E', 67, "the driver gets over failures by its own intelligence"),
    of('E', 68, "errors that nobody foresaw are treated by class"),
    of('E', 69, "directives require, and forbid"),
    of('F', 70, "do not connect for a while"),
    of('F', 71, "wait, or fail at once"),
    of('F', 72, "send again, and have it done once"),
    of('F', 73, "how to treat classes of errors"),
    of('F', 74, "information alone"),
    of('F', 75, "go on at another server"),
    of('F', 76, "collect measurements"),
    of('F', 77, "collect errors as the client sees them"),
    of('F', 78, "upload to the server"),
    of('F', 79, "upload elsewhere"),
    of('F', 80, "many clients' data is looked at together"),
    of('F', 81, "keep to a rate"),
    of('F', 82, "a newer driver"),
    of('F', 83, "forget what is cached of servers"),
    of('F', 84, "read a view again"),
    of('F', 85, "read a part of a view again"),
    of('F', 86, "where the parts of a table are"),
    of('F', 87, "other connection strings"),
    of('F', 88, "where logical names lead"),
    of('F', 89, "a closed set, and the client's owner decides"),
    of('F', 90, "code in a directive, harmless and off by default"),
    of('F', 91, "code in the driver is switched on"),
    of('G', 92, "authorised people send directives"),
    of('G', 93, "at a server, a gateway or a controller"),
    of('G', 94, "over the connection that is there"),
    of('G', 95, "to many clients, from one place"),
    of('G', 96, "begin to collect for troubleshooting"),
    of('G', 97, "and stop it from afar"),
];
