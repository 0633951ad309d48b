//! A mail server that speaks SMTP (RFC 5321) with STARTTLS and AUTH PLAIN, and keeps what it takes.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::Engine as _;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A letter that was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) was_encrypted: bool,
}

/// A mail server.
#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
    /// What it says to every recipient, if it refuses them.
    refusal: Arc<Mutex<Option<&'static str>>>,
}

impl MailServer {
    /// On a free port; with a certificate it wants STARTTLS and the password `hush`.
    pub(crate) async fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), letters: Arc::default(), refusal: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move { serving.serve(stream, tls).await });
            }
        });
        server
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    pub(crate) fn refuse(&self, refusal: Option<&'static str>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    async fn serve(&self, stream: tokio::net::TcpStream, tls: Option<Arc<ServerConfig>>) {
        let mut plain = BufReader::new(stream);
        let mut talk = Talk { server: self, wants_tls: tls.is_some(), letter: Letter::default() };
        if talk.run(&mut plain, true).await != Some(true) {
            return;
        }
        let acceptor = TlsAcceptor::from(tls.unwrap());
        let Ok(stream) = acceptor.accept(plain.into_inner()).await else { return };
        talk.letter.was_encrypted = true;
        talk.run(&mut BufReader::new(stream), false).await;
    }
}

struct Talk<'a> {
    server: &'a MailServer,
    wants_tls: bool,
    letter: Letter,
}

impl Talk<'_> {
    /// `Some(true)` when TLS is to begin; `None` when the other side is gone.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut BufReader<S>, greet: bool) -> Option<bool> {
        if greet {
            say(stream, "220 mail.test ESMTP").await?;
        }
        loop {
            let line = hear(stream).await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let must_be_secret = self.wants_tls && !self.letter.was_encrypted;
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" if must_be_secret => say(stream, "250-mail.test\r\n250 STARTTLS").await?,
                "EHLO" if self.wants_tls => say(stream, "250-mail.test\r\n250 AUTH PLAIN").await?,
                "EHLO" => say(stream, "250 mail.test").await?,
                "STARTTLS" => {
                    say(stream, "220 go ahead").await?;
                    return Some(true);
                }
                "QUIT" => {
                    say(stream, "221 bye").await?;
                    return Some(false);
                }
                "NOOP" | "RSET" => say(stream, "250 ok").await?,
                _ if must_be_secret => say(stream, "530 5.7.0 must issue STARTTLS first").await?,
                "AUTH" => self.authenticate(stream, rest).await?,
                "MAIL" if self.wants_tls && self.letter.password != "hush" => {
                    say(stream, "530 5.7.0 authentication required").await?;
                }
                "MAIL" => {
                    self.letter.from = address(rest);
                    self.letter.to.clear();
                    say(stream, "250 ok").await?;
                }
                "RCPT" => {
                    let refusal = *self.server.refusal.lock().unwrap();
                    if refusal.is_none() {
                        self.letter.to.push(address(rest));
                    }
                    say(stream, refusal.unwrap_or("250 ok")).await?;
                }
                "DATA" => self.take(stream).await?,
                _ => say(stream, "502 what?").await?,
            }
        }
    }

    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut BufReader<S>,
        rest: &str,
    ) -> Option<()> {
        let response = rest.strip_prefix("PLAIN ")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(response).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let mut parts = text.split('\0').skip(1);
        self.letter.user = parts.next()?.to_owned();
        self.letter.password = parts.next()?.to_owned();
        let answer = if self.letter.password == "hush" { "235 ok" } else { "535 5.7.8 wrong password" };
        say(stream, answer).await
    }

    async fn take<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut BufReader<S>) -> Option<()> {
        say(stream, "354 go on").await?;
        self.letter.text.clear();
        loop {
            let line = hear(stream).await?;
            if line == "." {
                break;
            }
            self.letter.text.push_str(line.strip_prefix('.').unwrap_or(&line));
            self.letter.text.push('\n');
        }
        self.server.letters.lock().unwrap().push(self.letter.clone());
        say(stream, "250 taken as 4711").await
    }
}

fn address(rest: &str) -> String {
    rest.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
