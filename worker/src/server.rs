//! The service: one port for the page and the socket, from start to orderly stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use confide_protocol::{MAX_FRAME_BYTES, SOCKET_PATH};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{
    app::App, config::Config, jobs::JobRunner, origin, queue::JobQueue, session, store::Store, web,
};

/// Time that connections get to say good-bye.
const FAREWELL: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

/// A worker that has its port and its store, and is ready to run.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Opens the store, queues what an earlier run left unfinished, and takes the port.
    ///
    /// # Errors
    /// The store cannot be opened or the port not be taken.
    pub async fn bind(config: Config, runner: Arc<dyn JobRunner>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let (stop, stopping) = watch::channel(false);
        let app = tokio::task::spawn_blocking(move || {
            let limits = config.limits;
            let store = Arc::new(Store::open(&config.data, limits, config.max_store_bytes)?);
            let queue = JobQueue::start(store.clone(), runner.clone(), limits, config.threads)?;
            Ok::<_, io::Error>(App {
                connections: Arc::new(Semaphore::new(config.max_connections)),
                config,
                store,
                queue,
                runner,
                stopping,
            })
        })
        .await
        .map_err(io::Error::other)??;
        Ok(Self {
            app: Arc::new(app),
            listener,
            stop,
        })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` resolves; then tells clients, interrupts the running job, and
    /// returns once all is on disk.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self {
            app,
            listener,
            stop,
        } = self;
        let router = Router::new()
            .route(SOCKET_PATH, get(upgrade))
            .route("/health", get(|| async { "ok\n" }))
            .with_state(app.clone())
            .merge(web::router(app.config.web.as_deref()));
        let cleaner = tokio::spawn(clean(app.clone()));
        let stopping = {
            let app = app.clone();
            async move {
                shutdown.await;
                tracing::info!("stopping");
                stop.send_replace(true);
                let all = app.config.max_connections.try_into().unwrap_or(u32::MAX);
                if timeout(FAREWELL, app.connections.acquire_many(all))
                    .await
                    .is_err()
                {
                    tracing::warn!("some connections did not close in time");
                }
            }
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let (closing, closed) = watch::channel(false);
        let served = tokio::spawn(async move {
            let mut closed = closed;
            axum::serve(listener, service)
                .with_graceful_shutdown(async move {
                    let _ = closed.wait_for(|closed| *closed).await;
                })
                .await
        });
        stopping.await;
        cleaner.abort();
        closing.send_replace(true);
        // Pages that keep their connection open do not hold the worker.
        let served = timeout(FAREWELL, served).await;
        tokio::task::spawn_blocking(move || app.queue.close())
            .await
            .map_err(io::Error::other)?;
        match served {
            Ok(served) => served.map_err(io::Error::other)?,
            Err(_) => Ok(()),
        }
    }
}

async fn upgrade(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin::is_allowed(&headers, &app.config.allow_origin) {
        tracing::warn!(%peer, "page of another origin refused");
        let reason = "This page may not connect to this worker. See --allow-origin.\n";
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    if *app.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "The worker stops.\n").into_response();
    }
    let Ok(permit) = app.connections.clone().try_acquire_owned() else {
        tracing::warn!(%peer, "too many connections, refused");
        let reason = "The worker has as many connections as it takes. Try again later.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    };
    upgrade
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .on_upgrade(move |socket| async move {
            session::serve(socket, app).await;
            drop(permit);
        })
}

/// Deletes, now and every hour, what belongs to clients who stay away.
async fn clean(app: Arc<App>) {
    let Some(days) = app.config.retention_days else {
        return;
    };
    loop {
        let age = HOUR * 24 * days;
        let worker = app.clone();
        let cleaned = app.block(move || {
            for client in worker.store.unused_for(age) {
                let busy = worker.queue.has_jobs(&client);
                if !busy {
                    let (objects, bytes) = worker.store.delete_client(&client)?;
                    let client = client.short();
                    tracing::info!(client, objects, bytes, days, "unused data deleted");
                }
            }
            Ok(())
        });
        if let Err(error) = cleaned.await {
            tracing::warn!(%error, "cannot delete unused data");
        }
        tokio::time::sleep(HOUR).await;
    }
}
