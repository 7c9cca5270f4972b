//! The worker's program: settings, log, signals, and the service.

use std::{io::Write, process::ExitCode, sync::Arc};

use clap::Parser;

use crate::{
    config::{CommandLine, Config},
    jobs::Compute,
    logging,
    models::Models,
    server::Server,
};

/// Runs until it is asked to stop. Arguments are those of the process.
#[must_use]
pub fn run() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("confide-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let config = CommandLine::parse().resolve()?;
    logging::start(&config)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    if !config.listen.ip().is_loopback() {
        tracing::warn!(
            listen = %config.listen,
            "reachable from other machines: put a proxy with TLS in front"
        );
    }
    let models = match &config.models {
        None => Models::default(),
        Some(dir) => Models::read(dir, config.private_weights)
            .map_err(|error| format!("cannot read the models in {}: {error}", dir.display()))?,
    };
    let runner = Arc::new(Compute::new(config.threads).with_models(models));
    let page = config.web.clone();
    let listen = config.listen;
    let data = config.data.clone();
    let server = Server::bind(config, runner).await.map_err(|error| {
        format!(
            "cannot start on {listen} with data in {}: {error}",
            data.display()
        )
    })?;
    let address = server.address()?;
    tracing::info!(%address, ?page, data = %data.display(), "listening");
    // One line for whoever started this program and waits for it.
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    Ok(server.run(stop_signal()).await?)
}

/// Resolves when the process is asked to stop.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}
