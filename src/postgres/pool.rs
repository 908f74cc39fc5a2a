//! The pool: deadpool-postgres, and beside each of its connections what a client of its kind cannot carry.
//!
//! Refuses to shorten an error: the pool's own type holds the driver's words only, so ours travel beside it.

use super::connect::{self, Connection, Notice};
use super::conninfo::ConnectOptions;
use super::server::Shared;
use super::server_error::server_error;
use crate::error::{Error, Kind, Result};
use deadpool_postgres::{ClientWrapper, Manager, ManagerConfig, Object, PoolError, RecyclingMethod};
use deadpool_postgres::{Connect, StatementCache};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::{Client, Config, NoTls};

tokio::task_local! {
    /// What [`Connector`] hands to the [`Pool::get`] that it runs in.
    static MADE: RefCell<Option<Result<Beside>>>;
}

/// What we keep of a connection beside its client.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    /// The task that moves its messages.
    pub driver: AbortHandle,
    /// Settings that the server reported at the start.
    pub parameters: Arc<BTreeMap<&'static str, String>>,
    /// What the server said beside its answers.
    pub notices: Arc<Mutex<Vec<Notice>>>,
}

/// A connection out of the pool. Dropped, it goes back.
pub(super) struct Pooled {
    pub client: Object,
    pub beside: Beside,
}

impl Pooled {
    /// Takes the connection out of the pool for good: dropped then, it closes.
    pub(super) fn take(self) -> (ClientWrapper, Beside) {
        (Object::take(self.client), self.beside)
    }
}

/// A pool of connections to one server.
#[derive(Clone)]
pub(super) struct Pool {
    pool: deadpool_postgres::Pool,
    /// A client has no name of its own; its statement cache, which we never fill, lives as long and stays in place.
    kept: Arc<Mutex<Vec<Kept>>>,
}

type Kept = (Weak<StatementCache>, Beside);

impl Pool {
    /// A pool with room for `size` connections; none is made yet.
    pub(super) fn new(shared: Arc<Shared>, size: usize) -> Result<Pool> {
        // No query on reuse: a lost connection is noticed by its driver task, and the next statement says so.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(Config::new(), Connector { shared }, config);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(size.max(1)).build();
        let pool =
            pool.map_err(|error| Error::new(Kind::Environment, "make a connection pool").because(error))?;
        Ok(Pool { pool, kept: Arc::default() })
    }

    /// A connection that is not closed; waits while all are in use. `options` are for messages.
    pub(super) async fn get(&self, options: &ConnectOptions) -> Result<Pooled> {
        let doing = || format!("connect to {}", options.describe());
        let getting = async {
            let got = self.pool.get().await;
            (got, MADE.with(RefCell::take))
        };
        match MADE.scope(RefCell::default(), getting).await {
            (Ok(client), Some(Ok(beside))) => {
                self.keep(&client, &beside);
                Ok(Pooled { client, beside })
            }
            (Ok(client), _) => match self.kept(&client) {
                Some(beside) => Ok(Pooled { client, beside }),
                None => {
                    Err(Error::new(Kind::Connect, doing()).because("the pool lost track of a connection"))
                }
            },
            (Err(_), Some(Err(error))) => Err(error),
            (Err(PoolError::Backend(error)), _) => Err(server_error(&doing(), error)),
            (Err(error), _) => Err(Error::new(Kind::Connect, doing()).because(error.to_string())),
        }
    }

    /// Remembers a new connection, and forgets those that are gone.
    fn keep(&self, client: &Object, beside: &Beside) {
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.retain(|(cache, _)| cache.strong_count() > 0);
        kept.push((Arc::downgrade(&client.statement_cache), beside.clone()));
    }

    fn kept(&self, client: &Object) -> Option<Beside> {
        let kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let own = Arc::as_ptr(&client.statement_cache);
        kept.iter().find(|(cache, _)| cache.as_ptr() == own).map(|(_, beside)| beside.clone())
    }
}

/// The pool's way to make connections: ours.
struct Connector {
    shared: Arc<Shared>,
}

type Connected = std::result::Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

impl Connect for Connector {
    fn connect(&self, nowhere: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let nowhere = nowhere.clone();
        Box::pin(async move {
            let hand_over = |made| MADE.try_with(|slot| slot.replace(Some(made)));
            match connect::connect(&self.shared.options, &self.shared.tls).await {
                Ok(Connection { client, driver, parameters, notices }) => {
                    let driver = driver.abort_handle();
                    let _ = hand_over(Ok(Beside { driver, parameters: Arc::new(parameters), notices }));
                    // The pool aborts the task that it is given before a connection can say goodbye, and the server
                    // would log that. So it gets an idle one: the driver ends on its own, after its client.
                    Ok((client, tokio::spawn(ready(()))))
                }
                Err(error) => {
                    let _ = hand_over(Err(error));
                    // The driver's error cannot be made, only had: from settings that name no host.
                    nowhere.connect(NoTls).await.map(|(client, _)| (client, tokio::spawn(ready(()))))
                }
            }
        })
    }
}
