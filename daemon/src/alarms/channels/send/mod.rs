//! One attempt to send one message.

mod email;
mod post;

use std::sync::Arc;

use http::HeaderValue;
use ring::hmac;
use rustls::{ClientConfig, pki_types::CertificateDer};
use serde_json::json;

use super::{Channel, Secret, Target, address::WebUrl, note::Note};
use crate::{
    clock::Clock,
    db::jobs::{Failed, JobId},
    mqtt, trust,
};
use post::Post;

/// Sends messages.
pub(super) struct Sender {
    tls: Arc<ClientConfig>,
    authorities: Vec<CertificateDer<'static>>,
    mqtt: Option<mqtt::Client>,
    clock: Clock,
}

impl Sender {
    /// One that believes these authorities beside the system's.
    pub(super) fn new(authorities: Vec<CertificateDer<'static>>, mqtt: Option<mqtt::Client>, clock: Clock) -> Self {
        Self { tls: trust::beside_the_system(&authorities), authorities, mqtt, clock }
    }

    pub(super) fn has_broker(&self) -> bool {
        self.mqtt.is_some()
    }

    /// Sends a message once; what the other side said. Dropped, nothing more is sent.
    pub(super) async fn send(&self, channel: &Channel, note: &Note, id: JobId) -> Result<String, Failed> {
        let secret = channel.secret.as_ref();
        match &channel.target {
            Target::Webhook { url } => self.webhook(url, secret, note, id).await,
            Target::Ntfy { url } => self.ntfy(url, secret, note).await,
            Target::Email { server, from, to } => {
                let letter = email::Letter { from, to, note, id };
                email::send(server, secret, &self.authorities, letter).await
            }
            Target::Mqtt { topic } => {
                let broker = self.mqtt.as_ref().ok_or_else(|| Failed::now("the hub has no broker (mqtt.url)"))?;
                broker.send(topic, note.json()).await.map_err(|error| Failed::now(error.to_string()))?;
                Ok("the broker has it".to_owned())
            }
        }
    }

    async fn webhook(&self, url: &WebUrl, secret: Option<&Secret>, note: &Note, id: JobId) -> Result<String, Failed> {
        let secret = secret.ok_or_else(|| Failed::forever("its secret is lost; give it again"))?;
        let body = note.json();
        let time = self.clock.now().as_second();
        let headers = vec![
            ("x-larder-delivery", header(&id.0.to_string())?),
            ("x-larder-timestamp", header(&time.to_string())?),
            ("x-larder-signature", header(&signature(secret, time, &body))?),
        ];
        post::post(&self.tls, Post { url, headers, body }).await
    }

    /// As JSON, since its headers would be ASCII.
    async fn ntfy(&self, url: &WebUrl, token: Option<&Secret>, note: &Note) -> Result<String, Failed> {
        let (server, topic) = url.topic().ok_or_else(|| Failed::forever("the URL names no topic"))?;
        let (priority, tag) = match note.occasion.as_str() {
            "raised" => (5, "rotating_light"),
            "repeated" => (4, "rotating_light"),
            "cleared" => (3, "white_check_mark"),
            _ => (3, "test_tube"),
        };
        let body = json!({
            "topic": topic, "title": note.subject, "message": note.text, "priority": priority, "tags": [tag],
        });
        let mut headers = Vec::new();
        if let Some(Secret(token)) = token {
            headers.push(("authorization", header(&format!("Bearer {token}"))?));
        }
        post::post(&self.tls, Post { url: &server, headers, body: body.to_string() }).await
    }
}

/// `sha256=` and the HMAC-SHA256 of the time in seconds, a dot and the body, in hex.
fn signature(secret: &Secret, time: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Never shown when printed.
fn header(text: &str) -> Result<HeaderValue, Failed> {
    let mut value =
        HeaderValue::from_str(text).ok().ok_or_else(|| Failed::forever("the secret can't be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf '1800000000.{}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn a_signature_covers_the_time_and_the_body() {
        let secret = Secret("secret".to_owned());
        let signed = signature(&secret, 1_800_000_000, "{}");
        assert_eq!(signed, "sha256=bb7079132825ac793cea8c013c1dd24d926b9b02132245b10588d9e5c0df70d7");
        assert_ne!(signature(&secret, 1_800_000_001, "{}"), signed);
        assert_ne!(signature(&secret, 1_800_000_000, "[]"), signed);
    }
}
