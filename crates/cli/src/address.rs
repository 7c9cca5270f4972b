//! Where a worker is, and whose certificates count for it.

use crate::failure::Failure;
use confide_client::ClientError;
use confide_protocol::SOCKET_PATH;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_tungstenite::Connector;

/// Where the worker is.
#[derive(clap::Args, Clone, Debug)]
pub struct WorkerAddress {
    /// Address of the worker; wss://HOST where it is behind a TLS proxy
    #[arg(
        id = "worker",
        long = "worker",
        value_name = "ADDRESS",
        default_value = "ws://127.0.0.1:8443",
        env = "CONFIDE_WORKER"
    )]
    pub url: String,
    /// PEM file with the authorities that may vouch for a wss:// address, in place of those that this system trusts
    #[arg(long, value_name = "FILE", env = "CONFIDE_CA")]
    pub ca: Option<PathBuf>,
}

impl WorkerAddress {
    /// An address without TLS.
    pub fn plain(url: String) -> Self {
        Self { url, ca: None }
    }

    /// Whether the line to it leaves this machine without TLS.
    pub fn is_exposed(&self) -> bool {
        let Some(rest) = self.url.strip_prefix("ws://") else {
            return false;
        };
        let host = rest.split('/').next().unwrap_or_default();
        let name = match host.ends_with(']') {
            true => host,
            false => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let name = name.trim_matches(['[', ']']);
        let own = name.parse().map(|address: IpAddr| address.is_loopback());
        !own.unwrap_or(name == "localhost")
    }

    /// The address of the socket, and what connects to it.
    ///
    /// # Errors
    /// `CC-6011` when it is no address of a worker, `CC-6014` when there are no authorities, and when the file of `--ca` cannot be
    /// read.
    pub fn endpoint(&self) -> Result<Endpoint, Failure> {
        let url = socket_url(&self.url)?;
        let connector = match url.starts_with("wss://") {
            true => Connector::Rustls(Arc::new(tls(self.ca.as_deref())?)),
            false => Connector::Plain,
        };
        Ok(Endpoint { url, connector })
    }
}

/// A socket that can be connected to.
pub struct Endpoint {
    /// Its whole address.
    pub url: String,
    /// With or without TLS.
    pub connector: Connector,
}

fn socket_url(url: &str) -> Result<String, Failure> {
    let wrong = |message: String| {
        Failure::from(ClientError::new(
            "CC-6011",
            message,
            "Write it like ws://127.0.0.1:8443, or wss://HOST for a worker behind TLS.",
        ))
    };
    let parts = url.split_once("://");
    let Some((scheme @ ("ws" | "wss"), rest)) = parts else {
        return Err(wrong(format!("\"{url}\" is not an address of a worker.")));
    };
    let host = rest.trim_end_matches('/');
    if host.is_empty() {
        return Err(wrong("The address of the worker has no host.".into()));
    }
    Ok(if host.contains('/') {
        url.to_owned()
    } else {
        format!("{scheme}://{host}{SOCKET_PATH}")
    })
}

fn tls(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    let source = match ca {
        Some(path) => {
            let unread = |error: String| {
                let message = format!("Cannot read certificates from {}: {error}.", path.display());
                ClientError::new(
                    "CC-6014",
                    message,
                    "Give a PEM file with the certificate of the authority.",
                )
            };
            let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                let certificate = certificate.map_err(|error| unread(error.to_string()))?;
                let added = roots.add(certificate);
                added.map_err(|error| unread(error.to_string()))?;
            }
            path.display().to_string()
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "this system's store of certificates".to_owned()
        }
    };
    if roots.is_empty() {
        return Err(ClientError::new(
            "CC-6014",
            format!("There is no authority in {source}."),
            "Give a PEM file with the certificate of the worker's authority (--ca FILE).",
        )
        .into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| {
        let message = format!("TLS cannot be set up: {error}.");
        ClientError::new("CC-6014", message, "Report this as a fault.")
    })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Why a worker's certificate was refused, if that is what an error of a connection is about.
pub fn refused_certificate(error: &std::io::Error) -> Option<ClientError> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(_) = error else {
        return None;
    };
    Some(ClientError::new(
        "CC-6013",
        format!("The worker's certificate is not accepted: {error}."),
        "Check the address. Where your organisation has an authority of its own, give its certificate with --ca FILE.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_or_refused() {
        for (given, whole) in [
            ("ws://127.0.0.1:8443", "ws://127.0.0.1:8443/socket"),
            ("ws://host:1/", "ws://host:1/socket"),
            ("ws://host/behind/proxy", "ws://host/behind/proxy"),
            ("wss://host", "wss://host/socket"),
        ] {
            assert_eq!(socket_url(given).unwrap(), whole);
        }
        for wrong in ["http://host", "host:8443", "ws://", "wss:///"] {
            assert!(socket_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_that_leave_this_machine_are_told_apart() {
        for (url, exposed) in [
            ("ws://127.0.0.1:8443", false),
            ("ws://localhost", false),
            ("ws://[::1]:8443/socket", false),
            ("ws://[::1]", false),
            ("ws://192.168.1.7:8443", true),
            ("ws://compute.example/socket", true),
            ("wss://compute.example", false),
        ] {
            assert_eq!(
                WorkerAddress::plain(url.to_owned()).is_exposed(),
                exposed,
                "{url}"
            );
        }
    }

    #[test]
    fn files_without_authorities_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let code = || {
            let failure = tls(Some(&path)).expect_err("no authority");
            failure.to_json()["error"]["code"].clone()
        };
        assert_eq!(code(), "CC-6001", "missing");
        for wrong in [
            "",
            "not PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA",
        ] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(code(), "CC-6014", "{wrong:?}");
        }
    }
}
