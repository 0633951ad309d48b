//! An e-mail over SMTP.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use rustls::pki_types::CertificateDer;

use super::super::{
    Secret,
    address::{MailServer, MailTls},
    note::Note,
};
use crate::db::jobs::{Failed, JobId};

/// For each answer of the server.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of what the server said, for people.
const LONGEST_ANSWER: usize = 200;

/// What goes to whom.
pub(super) struct Letter<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    pub(super) note: &'a Note,
    pub(super) id: JobId,
}

/// Sends it; what the server said.
pub(super) async fn send(
    server: &MailServer,
    password: Option<&Secret>,
    authorities: &[CertificateDer<'static>],
    letter: Letter<'_>,
) -> Result<String, Failed> {
    let message = message(&letter)?;
    let transport = transport(server, password, authorities)?;
    let said = transport.send(message).await.map_err(|error| failed(&error))?;
    Ok(first_line(said.message().next().unwrap_or_default()))
}

fn transport(
    server: &MailServer,
    password: Option<&Secret>,
    authorities: &[CertificateDer<'static>],
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failed> {
    let tls = || {
        let mut tls = TlsParameters::builder(server.host.clone());
        for authority in authorities {
            let authority = Certificate::from_der(authority.to_vec()).map_err(|error| failed(&error))?;
            tls = tls.add_root_certificate(authority);
        }
        tls.build().map_err(|error| failed(&error))
    };
    let tls = match server.tls {
        MailTls::Wrapped => Tls::Wrapper(tls()?),
        MailTls::Required => Tls::Required(tls()?),
        MailTls::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone())
        .port(server.port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let Some(user) = &server.user {
        let password = password.map(|Secret(password)| password.clone()).unwrap_or_default();
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    Ok(transport.build())
}

fn message(letter: &Letter<'_>) -> Result<Message, Failed> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>().ok().ok_or_else(|| Failed::forever(format!("{text:?} is no e-mail address")))
    };
    let from = mailbox(letter.from)?;
    // The same for every attempt, so that a server can see that it has it.
    let id = format!("<{}@{}>", letter.id.0, from.email.domain());
    let mut message = Message::builder()
        .from(from)
        .subject(letter.note.subject.clone())
        .message_id(Some(id))
        .header(ContentType::TEXT_PLAIN);
    if let Ok(name) = HeaderName::new_from_ascii("Auto-Submitted".to_owned()) {
        // RFC 3834: nobody's absence assistant answers it.
        message = message.raw_header(HeaderValue::new(name, "auto-generated".to_owned()));
    }
    for to in letter.to {
        message = message.to(mailbox(to)?);
    }
    message.body(format!("{}\n", letter.note.text)).map_err(|error| Failed::forever(error.to_string()))
}

/// What the server refuses for good (5yz, RFC 5321 section 4.2.1) stays refused.
fn failed(error: &SmtpError) -> Failed {
    Failed { why: first_line(&format!("SMTP: {error}")), is_permanent: error.is_permanent() }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST_ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_letter_says_all_and_keeps_its_id() {
        let note = Note::test("2026-07-01T12:00:00Z".parse().unwrap());
        let to = ["Ann <ann@example.org>".to_owned(), "bob@example.org".to_owned()];
        let letter = Letter { from: "larder@pi.example", to: &to, note: &note, id: JobId(Uuid::nil()) };
        let text = String::from_utf8(message(&letter).unwrap().formatted()).unwrap();
        for part in [
            "From: larder@pi.example\r\n",
            "Ann <ann@example.org>, bob@example.org\r\n",
            "Subject: Test from Larder\r\n",
            "Message-ID: <00000000-0000-0000-0000-000000000000@pi.example>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "This is how alarms will reach you.",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn a_servers_answer_is_cut_to_one_line() {
        assert_eq!(first_line("250 ok\u{7}\r\n250 more"), "250 ok");
        assert_eq!(first_line(&"x".repeat(300)).len(), 200);
    }
}
