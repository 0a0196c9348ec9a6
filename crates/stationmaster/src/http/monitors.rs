//! Where monitors outside post what they see (R60, R61): `/v1/events`, `/v1/conditions`, `/v1/alertmanager`.
//!
//! Each post carries a bearer token, the one in the server's configuration. Without one nothing is taken.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use conditions::limits::POST_BYTES_MAX;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use server::{Environment, environment::Form};
use subtle::ConstantTimeEq;

use super::{Answer, text};

/// Shortest token that is taken, in bytes: a shorter one could be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Takes posts for a server.
#[derive(Clone)]
pub struct Monitors {
    environment: Environment,
    token: Option<Token>,
}

/// What a monitor has to show.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Reads it from a file; blanks around it do not count.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read the token in {shown}"))?;
        let token = text.trim();
        if token.len() < TOKEN_BYTES_MIN || token.contains(char::is_whitespace) {
            bail!(
                "{shown} must hold one token of at least {TOKEN_BYTES_MIN} bytes and nothing else\n  \
                 try: openssl rand -hex 32 > {shown}"
            );
        }
        Ok(Self(token.into()))
    }

    fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, shown) = header.split_at(header.len().min(7));
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(shown.ct_eq(self.0.as_bytes()))
    }
}

impl Monitors {
    /// For this server; without a token nothing is taken.
    pub fn new(environment: Environment, token: Option<Token>) -> Self {
        Self { environment, token }
    }

    /// What is posted there.
    pub fn form(path: &str) -> Option<Form> {
        let forms = [Form::Events, Form::Conditions, Form::Alertmanager];
        let name = path.strip_prefix("/v1/")?;
        forms.into_iter().find(|form| form.name() == name)
    }

    /// Takes a post, or says why not.
    pub async fn take(&self, form: Form, request: Request<Incoming>) -> Answer {
        let Some(token) = &self.token else {
            let said = "this server takes no posts: give it `monitor_token_file` in [server]\n";
            return text(StatusCode::FORBIDDEN, said.into());
        };
        if !token.is_shown_in(request.headers()) {
            let mut refused =
                text(StatusCode::UNAUTHORIZED, "show the token: authorization: Bearer TOKEN\n".into());
            refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        let body = match Limited::new(request.into_body(), POST_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let said = format!("a post has {POST_BYTES_MAX} bytes at most\n");
                return text(StatusCode::PAYLOAD_TOO_LARGE, said);
            }
            Err(error) => return text(StatusCode::BAD_REQUEST, format!("the body broke off: {error}\n")),
        };
        match self.environment.post(form, &body) {
            Ok(posted) => text(StatusCode::ACCEPTED, format!("taken: {}\n", posted.0)),
            Err(said) => text(StatusCode::BAD_REQUEST, format!("{said}\n")),
        }
    }
}
