//! What a line truly does, measured from outside with sockets of its own: rate, loss and round trip.

use std::{io, net::Ipv4Addr, time::Duration};

use serde::Serialize;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream, UdpSocket},
    time::{Instant, sleep, timeout},
};

use super::{Conditions, DatagramProxy, Link, StreamProxy, datagrams, megabits, stream};

/// A datagram as QUIC sends them.
const DATAGRAM: usize = 1200;
/// For loss: small ones, so that there are thousands of them.
const SMALL: usize = 100 - datagrams::HEADERS;
/// How long each flood takes.
const FLOOD: Duration = Duration::from_millis(1500);
/// The beginning is not measured: queues fill.
const SETTLE: Duration = Duration::from_millis(300);
/// How much faster than the line the flood is.
const PUSH: f64 = 1.2;
/// For loss, where the line is not full.
const CALM: f64 = 0.5;
/// And the machine is not busy: 5,000 datagrams a second.
const MOST_SMALL: f64 = 4e6;
/// An echo that has not come by then is lost.
const ECHO_PATIENCE: Duration = Duration::from_secs(2);

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Truth {
    /// Of whole IP packets, when it is flooded with datagrams.
    pub(crate) datagram_mbit_s: f64,
    /// The same with TCP's bytes.
    pub(crate) stream_mbit_s: f64,
    /// Datagrams that did not arrive while the line was half full, in percent.
    pub(crate) loss_percent: f64,
    /// Of a small datagram on the idle line.
    pub(crate) round_trip_ms: f64,
}

/// Measures lines like this one, each time on a fresh one.
///
/// # Errors
///
/// The loopback has no ports for it.
pub(crate) async fn measure(conditions: Conditions, seed: u64) -> io::Result<Truth> {
    let rate = conditions.rate_bits.unwrap_or(100_000_000) as f64;
    let (bits, _) = flood(&Link::new(conditions, seed), rate * PUSH, DATAGRAM).await?;
    let (_, loss) = flood(&Link::new(conditions, seed), (rate * CALM).min(MOST_SMALL), SMALL).await?;
    Ok(Truth {
        datagram_mbit_s: megabits(bits),
        stream_mbit_s: megabits(pour(&Link::new(conditions, seed)).await?),
        loss_percent: (loss * 1e4).round() / 100.0,
        round_trip_ms: echo(&Link::new(conditions, seed)).await?.as_micros() as f64 / 1e3,
    })
}

/// Datagrams of a size at a rate: bits a second that arrive, and the share that does not.
async fn flood(link: &Link, bits: f64, bytes: usize) -> io::Result<(f64, f64)> {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let proxy = DatagramProxy::start(link, server.local_addr()?).await?;
    let viewer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    viewer.connect(proxy.address()).await?;
    let size = ((bytes + datagrams::HEADERS) * 8) as f64;
    let datagram = vec![0; bytes];
    let began = Instant::now();
    let mut sent = 0_u64;
    let send = async {
        while began.elapsed() < FLOOD {
            while (sent as f64) * size < began.elapsed().as_secs_f64() * bits {
                viewer.send(&datagram).await?;
                sent += 1;
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, io::Error>(())
    };
    let (mut arrived, mut measured) = (0_u64, 0_u64);
    let receive = async {
        let mut buffer = [0; DATAGRAM];
        while let Ok(Ok(_)) = timeout(Duration::from_millis(500), server.recv(&mut buffer)).await {
            arrived += 1;
            measured += u64::from((SETTLE..FLOOD).contains(&began.elapsed()));
        }
    };
    let (sending, ()) = tokio::join!(send, receive);
    sending?;
    let rate = measured as f64 * size / (FLOOD - SETTLE).as_secs_f64();
    Ok((rate, 1.0 - arrived as f64 / sent.max(1) as f64))
}

/// Bytes as fast as they go: bits a second that arrive, with the headers they would have.
async fn pour(link: &Link) -> io::Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let proxy = StreamProxy::start(link, listener.local_addr()?).await?;
    let mut viewer = TcpStream::connect(proxy.address()).await?;
    let (mut server, _) = listener.accept().await?;
    let began = Instant::now();
    let mut measured = 0;
    let send = async {
        let block = vec![0; 16 * 1024];
        // The receiver ends it.
        while tokio::io::AsyncWriteExt::write_all(&mut server, &block).await.is_ok() {}
    };
    let receive = async {
        let mut buffer = vec![0; 16 * 1024];
        while began.elapsed() < FLOOD {
            let Ok(read) = timeout(FLOOD, viewer.read(&mut buffer)).await else { break };
            if began.elapsed() >= SETTLE {
                measured += read?;
            }
        }
        Ok::<_, io::Error>(())
    };
    tokio::select! {
        () = send => {}
        received = receive => received?,
    }
    let payload = measured as f64 * 8.0 / (FLOOD - SETTLE).as_secs_f64();
    Ok(payload * (1448 + stream::HEADERS) as f64 / 1448.0)
}

/// The shortest of a few echoes.
async fn echo(link: &Link) -> io::Result<Duration> {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let proxy = DatagramProxy::start(link, server.local_addr()?).await?;
    let viewer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    viewer.connect(proxy.address()).await?;
    let answer = async {
        let mut buffer = [0; 16];
        while let Ok((length, from)) = server.recv_from(&mut buffer).await {
            let _gone = server.send_to(&buffer[..length], from).await;
        }
    };
    let ask = async {
        let mut shortest = ECHO_PATIENCE;
        for number in 0_u8..5 {
            let asked = Instant::now();
            viewer.send(&[number]).await?;
            let mut buffer = [0; 16];
            if timeout(ECHO_PATIENCE, viewer.recv(&mut buffer)).await.is_ok() && buffer[0] == number {
                shortest = shortest.min(asked.elapsed());
            }
        }
        Ok(shortest)
    };
    tokio::select! {
        () = answer => Ok(ECHO_PATIENCE),
        shortest = ask => shortest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through real sockets: on a busy machine the rate can fall short, and never be exceeded.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_line_does_what_it_says() {
        let delay = Duration::from_millis(15);
        let conditions = Conditions { loss: 0.05, ..Conditions::new(4_000_000, delay) };
        let truth = measure(conditions, 3).await.unwrap();
        // What is lost was put on the line before.
        assert!((0.1..=4.05).contains(&truth.datagram_mbit_s), "{truth:?}");
        assert!((0.1..=4.3).contains(&truth.stream_mbit_s), "{truth:?}");
        assert!((0.5..=20.0).contains(&truth.loss_percent), "{truth:?}");
        assert!(truth.round_trip_ms >= 30.0, "{truth:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_gets_through_a_cut_line_until_it_is_mended() {
        let link = Link::new(Conditions::PERFECT, 1);
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = DatagramProxy::start(&link, server.local_addr().unwrap()).await.unwrap();
        let viewer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        viewer.connect(proxy.address()).await.unwrap();
        let mut buffer = [0; 8];
        viewer.send(b"before").await.unwrap();
        assert_eq!(server.recv(&mut buffer).await.unwrap(), 6);
        link.cut();
        viewer.send(b"lost").await.unwrap();
        assert!(timeout(Duration::from_millis(100), server.recv(&mut buffer)).await.is_err());
        link.mend();
        viewer.send(b"mended").await.unwrap();
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"mended");
        server.send_to(b"answer", from).await.unwrap();
        assert_eq!(viewer.recv(&mut buffer).await.unwrap(), 6);
    }
}
