//! A board's web server that sends exactly what it is told to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// What a connection is answered.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Then it hangs up; else it says no more.
    pub(super) hangs_up: bool,
}

/// A board. Each connection gets the next answer, and all later ones the last.
pub(super) struct Board {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    open: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Board {
    pub(super) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, open) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<usize>>::default());
        let (told, counted) = (Arc::clone(&asked), Arc::clone(&open));
        let task = tokio::spawn(async move {
            for turn in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = answers[answers.len().min(turn + 1) - 1].clone();
                let (told, counted) = (Arc::clone(&told), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    told.lock().unwrap().push(String::from_utf8(head).unwrap());
                    *counted.lock().unwrap() += 1;
                    // As a board's small window would cut it.
                    for piece in answer.bytes.chunks(1436) {
                        if stream.write_all(piece).await.is_err() {
                            break;
                        }
                    }
                    if !answer.hangs_up {
                        let _ = stream.read_u8().await;
                    }
                    *counted.lock().unwrap() -= 1;
                });
            }
        });
        Self { address, asked, open, task }
    }

    /// One that goes on for as long as it is looked at.
    pub(super) async fn steady(bytes: Vec<u8>) -> Self {
        Self::start(vec![Answer { bytes, hangs_up: false }]).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How many look at it.
    pub(super) fn open(&self) -> usize {
        *self.open.lock().unwrap()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// HTTP/1.1 chunks (RFC 9112, section 7.1), one for each of the parts.
pub(super) fn chunked(head: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        bytes.extend(format!("{:x}\r\n", part.len()).bytes());
        bytes.extend(*part);
        bytes.extend(b"\r\n");
    }
    bytes
}
