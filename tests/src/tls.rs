//! TLS in front of a worker, as a proxy of the compute party's would be, with an authority of its own.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Passes on to a worker what arrives inside TLS. Dropped, it ends.
pub struct TlsFront {
    port: u16,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Listens on a free port as `localhost`, and writes the certificate of its authority to a PEM file.
    ///
    /// # Panics
    /// When there is no port, or the file cannot be written.
    pub async fn start(worker: &str, authority: &Path) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(authority)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let worker = worker.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, worker) = (acceptor.clone(), worker.clone());
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut worker = TcpStream::connect(&worker).await?;
                    copy_bidirectional(&mut client, &mut worker).await
                });
            }
        });
        Self { port, task }
    }

    /// The address, of a host that the certificate names.
    pub fn url(&self) -> String {
        format!("wss://localhost:{}", self.port)
    }

    /// The same by a name that the certificate does not have.
    pub fn misnamed(&self) -> String {
        format!("wss://127.0.0.1:{}", self.port)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(authority: &Path) -> ServerConfig {
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer_key = key();
    let certificate = params.self_signed(&issuer_key).expect("a certificate");
    std::fs::write(authority, certificate.pem()).expect("can be written");
    let issuer = Issuer::new(params, issuer_key);
    let own = key();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&own, &issuer).expect("a certificate");
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], secret)
        .expect("a key of its own")
}
