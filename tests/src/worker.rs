//! The worker's program: found or built, started, stopped and killed.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running worker. Dropped, it is killed.
pub struct Worker {
    child: Child,
    address: String,
}

impl Worker {
    /// Starts the worker on a free port with its data in `data`, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(data: &Path, flags: &[&str]) -> Self {
        Self::start_program(binary(), data, flags).await
    }

    /// As [`Worker::start`] with plans on rings of no security.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_insecure(data: &Path, flags: &[&str]) -> Self {
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        let arguments = ["--package", "confide-tests", "--example", "insecure_worker"];
        let path = "examples/insecure_worker";
        let binary =
            BINARY.get_or_init(|| program("CONFIDE_INSECURE_WORKER_BIN", &arguments, path));
        Self::start_program(binary, data, flags).await
    }

    async fn start_program(binary: &Path, data: &Path, flags: &[&str]) -> Self {
        let mut child = tokio::process::Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(flags)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        let output = child.stdout.take().expect("its output is ours");
        let mut lines = BufReader::new(output).lines();
        let line = timeout(PATIENCE, lines.next_line())
            .await
            .expect("the worker listens in time")
            .expect("its output can be read")
            .expect("it does not end at once");
        let address = line
            .strip_prefix("listening on http://")
            .expect("it says where it listens")
            .to_owned();
        Self { child, address }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Address of the socket.
    pub fn url(&self) -> String {
        format!("ws://{}/socket", self.address)
    }

    /// Ends it as a power cut would: no signal handler runs.
    ///
    /// # Panics
    /// When the process cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the worker is killed");
    }

    /// Asks it to stop, as a service manager does; gives whether it ended with success.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub async fn terminate(mut self) -> bool {
        let id = self.child.id().expect("the worker runs").to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("the signal is sent");
        assert!(sent.success());
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("the worker stops in time")
            .expect("its end is seen")
            .success()
    }
}

/// The worker's binary: `CONFIDE_WORKER_BIN`, or built here, once.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let arguments = ["--package", "confide-worker"];
    BINARY.get_or_init(|| program("CONFIDE_WORKER_BIN", &arguments, "confide-worker"))
}

/// The program that a variable names, or one that is built in the profile of the tests; `path` is where it then lies in the
/// profile's folder.
pub(crate) fn program(variable: &str, arguments: &[&str], path: &str) -> PathBuf {
    if let Some(named) = env::var_os(variable) {
        return PathBuf::from(named);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet"])
        .args(arguments)
        .current_dir(root)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "{path} does not build");
    // Tests lie in TARGET/PROFILE/deps, programs in TARGET/PROFILE.
    let test = env::current_exe().expect("this program has a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests lie two directories deep");
    profile.join(path)
}
