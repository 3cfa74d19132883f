//! What systemd is told: readiness, status, reloads, the end, and signs of life.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use sandbox::zendesk::{Act, Fault};

use crate::support::binary::Started;
use crate::support::company::SUPPORT;
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until};

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn start(rig: &Rig) -> (Self, Started) {
        let path = rig.path("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let path = path.display().to_string();
        let daemon = rig.start_with(&[], &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "200000")]);
        (Self { socket, heard: Vec::new() }, daemon)
    }

    /// Takes what was sent so far.
    fn listen(&mut self) {
        let mut message = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut message) {
            self.heard.extend(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned));
        }
    }

    /// Waits for a line that was sent after the first `after`; answers its place.
    #[track_caller]
    fn hears(&mut self, line: &str, after: usize) -> usize {
        until(SOON, line, || {
            self.listen();
            self.heard.iter().skip(after).position(|heard| heard.starts_with(line)).map(|at| after + at + 1)
        })
    }
}

#[test]
fn the_service_manager_hears_of_a_whole_life() {
    let rig = Rig::unbraked();
    let (mut manager, daemon) = Manager::start(&rig);
    let ready = manager.hears("READY=1", 0);
    assert!(manager.heard.iter().any(|line| line.starts_with("STATUS=no cycle yet; next at ")), "{:?}", manager.heard);
    rig.run(&["status"]).expect(0);
    daemon.signal(Signal::USR1);
    let after_cycle = manager.hears("STATUS=support: 6 done", ready);
    daemon.signal(Signal::HUP);
    let reloading = manager.hears("RELOADING=1", after_cycle);
    manager.hears("MONOTONIC_USEC=", after_cycle);
    let again = manager.hears("READY=1", reloading);
    manager.hears("WATCHDOG=1", again);
    daemon.signal(Signal::TERM);
    manager.hears("STOPPING=1", again);
    daemon.finish().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn the_watchdog_is_fed_while_a_cycle_runs() {
    let rig = Rig::unbraked();
    rig.desk().push_faults(vec![Fault {
        method: None,
        path: "/api/v2/users/me".to_owned(),
        nth: Some(1),
        act: Act::Delay { delay_ms: 1_500 },
    }]);
    let (mut manager, daemon) = Manager::start(&rig);
    manager.hears("READY=1", 0);
    daemon.signal(Signal::USR1);
    until(SOON, "a request", || rig.desk().requests().first().map(|_| ()));
    manager.listen();
    let before = manager.heard.len();
    // Half of the limit of 200 ms: several come within the second and a half that Zendesk takes.
    until(Duration::from_millis(1_400), "three signs of life", || {
        manager.listen();
        (manager.heard[before..].iter().filter(|line| *line == "WATCHDOG=1").count() >= 3).then_some(())
    });
    assert!(!daemon.stderr().contains("cycle ended"));
}

#[test]
fn what_waits_is_in_the_status() {
    let rig = Rig::new();
    let (mut manager, daemon) = Manager::start(&rig);
    let ready = manager.hears("READY=1", 0);
    daemon.signal(Signal::USR1);
    let at = manager.hears("STATUS=support: 0 done", ready);
    assert!(manager.heard[at - 1].contains("6 changes wait for a person"), "{}", manager.heard[at - 1]);
    drop(daemon);
}
