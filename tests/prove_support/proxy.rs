//! A connection that can be pulled, and that can hold back the statement with a marker.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Where the wire stands.
#[derive(Default)]
struct State {
    open: Vec<TcpStream>,
    /// What the next held statement contains.
    wanted: Option<String>,
    held: bool,
    refusing: bool,
}

/// A TCP proxy before a server.
#[derive(Clone)]
pub struct Proxy {
    state: Arc<(Mutex<State>, Condvar)>,
    port: u16,
}

impl Proxy {
    /// A proxy before `port` on this machine.
    pub fn before(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Proxy { state: Arc::default(), port: listener.local_addr().expect("its address").port() };
        let accepting = proxy.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepting.carry(client, port);
            }
        });
        proxy
    }

    /// `url` of the server, through this proxy.
    pub fn through(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    fn carry(&self, client: TcpStream, port: u16) {
        if self.state.0.lock().expect("state").refusing {
            return;
        }
        // A server that is down: the client sees its connection end.
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let copy = |stream: &TcpStream| stream.try_clone().expect("a handle");
        self.state.0.lock().expect("state").open.extend([copy(&client), copy(&server)]);
        let (mut from_client, mut to_server) = (copy(&client), copy(&server));
        let watching = self.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(n @ 1..) = from_client.read(&mut buffer) {
                watching.pass(&buffer[..n]);
                if to_server.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = to_server.shutdown(Shutdown::Both);
        });
        let (mut from_server, mut to_client) = (server, client);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
    }

    /// Waits while this is the statement to hold back.
    fn pass(&self, bytes: &[u8]) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().expect("state");
        let found = |wanted: &String| bytes.windows(wanted.len()).any(|w| w == wanted.as_bytes());
        if state.wanted.as_ref().is_some_and(found) {
            state.wanted = None;
            state.held = true;
            let _unlocked = changed.wait_while(state, |state| state.held).expect("state");
        }
    }

    /// Holds back the next statement that contains `marker`.
    pub fn hold(&self, marker: &str) {
        self.state.0.lock().expect("state").wanted = Some(marker.to_owned());
    }

    /// Whether a statement is held back.
    pub fn holds(&self) -> bool {
        self.state.0.lock().expect("state").held
    }

    /// Lets it go.
    pub fn release(&self) {
        let mut state = self.state.0.lock().expect("state");
        state.held = false;
        state.wanted = None;
        self.state.1.notify_all();
    }

    /// Cuts all connections; new ones may be made, unless `for_good`.
    pub fn pull(&self, for_good: bool) {
        let mut state = self.state.0.lock().expect("state");
        state.refusing = for_good;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.release();
    }
}
