//! The connection to a chaincode that serves, in the tests' hands.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::support::place::free_port;

/// Forwards connections until it is told to cut them.
#[derive(Debug)]
pub(crate) struct Proxy {
    behind: String,
    orders: Arc<watch::Sender<Order>>,
    task: JoinHandle<()>,
}

/// What becomes of the connections that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Forward,
    /// They end.
    Cut,
    /// They stay, and nothing comes through any more.
    Silence,
}

impl Proxy {
    /// Listens at `address`.
    pub(crate) async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let behind = format!("127.0.0.1:{}", free_port());
        let orders: Arc<watch::Sender<Order>> = Arc::default();
        let (to, given) = (behind.clone(), orders.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut near, _)) = listener.accept().await else { continue };
                let (to, mut given) = (to.clone(), given.subscribe());
                tokio::spawn(async move {
                    // Where nobody listens, the connection just ends.
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    let ordered = async {
                        let _ = given.changed().await;
                        *given.borrow()
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        order = ordered => if order == Order::Silence {
                            // Until either side gives up; what they say is not even read.
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        });
        Self { behind, orders, task }
    }

    /// Where it forwards to.
    pub(crate) fn behind(&self) -> &str {
        &self.behind
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.orders.send_replace(Order::Cut);
    }

    /// Lets nothing through on the connections that there are, as when a machine has vanished.
    pub(crate) fn go_silent(&self) {
        self.orders.send_replace(Order::Silence);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
