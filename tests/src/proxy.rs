//! A connection that can be cut anywhere, also in the middle of a frame.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Passes bytes on to a worker, and cuts each connection after some of them.
pub struct Proxy {
    address: String,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port. The first connections are cut after as many bytes upwards as
    /// `cuts` says, later ones are not.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(worker: &str, cuts: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let worker = worker.to_owned();
        let task = tokio::spawn(async move {
            let mut cuts = cuts.into_iter();
            while let Ok((client, _)) = listener.accept().await {
                let cut = cuts.next();
                let worker = worker.clone();
                tokio::spawn(async move {
                    // However it ends, both ends are closed by being dropped.
                    let _ = pass(client, &worker, cut).await;
                });
            }
        });
        Self { address, task }
    }

    /// Address of the socket.
    pub fn url(&self) -> String {
        format!("ws://{}/socket", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, worker: &str, cut: Option<usize>) -> std::io::Result<()> {
    let worker = TcpStream::connect(worker).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_worker, mut to_worker) = worker.into_split();
    let up = async {
        let mut left = cut.unwrap_or(usize::MAX);
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let most = buffer.len().min(left);
            let read = from_client.read(&mut buffer[..most]).await?;
            if read == 0 {
                break;
            }
            to_worker.write_all(&buffer[..read]).await?;
            left -= read;
        }
        Ok::<_, std::io::Error>(())
    };
    tokio::select! {
        result = up => result,
        result = copy(&mut from_worker, &mut to_client) => result.map(drop),
    }
}
