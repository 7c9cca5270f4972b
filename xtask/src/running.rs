//! Programs that run beside a task and do not outlive it; the worker among them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process;
use crate::workspace::Workspace;

/// The first port that is tried.
const FIRST_PORT: u16 = 8443;
/// How many ports are tried after it.
const PORTS: u16 = 100;
/// How long the worker may take to listen, and a program to stop when asked.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A program that does not outlive this value: asked to stop, then killed.
pub struct Running {
    name: &'static str,
    child: Child,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts the command without a terminal to ask.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        eprintln!("  $ {}", process::describe(command));
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            status: None,
        })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Asks the program to stop, and kills it when it does not.
    ///
    /// # Errors
    /// When it can be neither asked nor killed.
    pub fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)
                .with_context(|| format!("cannot signal {}", self.name))?;
        }
        let start = Instant::now();
        while start.elapsed() < STOP_LIMIT {
            if self.ended()?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} did not stop within {STOP_LIMIT:?}: killed", self.name);
        self.child.kill()?;
        self.status = Some(self.child.wait()?);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stop().is_err() {
            // The last resort; the program may already be gone.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Starts the release build of the worker on a free port of this machine, with its store in `data`, and waits until
/// it listens. `interrupted` is asked meanwhile.
///
/// # Errors
/// When it does not start within a minute, or `interrupted` says so.
pub fn worker(
    workspace: &Workspace,
    data: &Path,
    web: Option<&Path>,
    interrupted: &dyn Fn() -> bool,
) -> Result<(Running, SocketAddr)> {
    let address = free_address()?;
    let mut command = Command::new(workspace.release_binary("confide-worker"));
    command.arg("--listen").arg(address.to_string());
    command.arg("--data").arg(data);
    if let Some(web) = web {
        command.arg("--web").arg(web);
    }
    let mut running = Running::start("confide-worker", &mut command)?;
    let start = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if let Some(status) = running.ended()? {
            bail!("the worker ended before it listened on {address} ({status})");
        }
        if interrupted() {
            bail!("interrupted");
        }
        if start.elapsed() > START_LIMIT {
            bail!("the worker does not listen on {address} after {START_LIMIT:?}");
        }
        sleep(Duration::from_millis(50));
    }
    Ok((running, address))
}

/// The first free port of this machine from 8443 on.
fn free_address() -> Result<SocketAddr> {
    (FIRST_PORT..FIRST_PORT + PORTS)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .with_context(|| format!("no free port from {FIRST_PORT} on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_passed_over() {
        let first = free_address().unwrap();
        let _held = TcpListener::bind(first).unwrap();
        assert!(free_address().unwrap().port() > first.port());
    }

    #[test]
    fn a_child_ends_with_its_value() {
        let running = Running::start("sleep", Command::new("sleep").arg("600")).unwrap();
        let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(running);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
