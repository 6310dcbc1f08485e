use std::sync::Arc;

use super::connection::{Connection, Led, NEVER};
use super::mtls;
use super::reach::try_next;
use super::serve::Next;
use super::stream::flush;
use super::thread::Thread;
use crate::tables::{Cluster, Endpoint};

/// While everything behind has lately refused connections, it is looked whether anybody takes one before the caller's handshake: once that is done a
/// byte stream cannot be sent to another endpoint any more, before it every gateway on the way can. In good times nobody who has not proven an
/// identity makes us connect anywhere.
pub fn begin(connection: &mut Connection, thread: &mut Thread, cluster: &Arc<Cluster>) -> Next {
    let mut led = Led::to(cluster.clone());
    led.looking = Some(0);
    connection.led = Some(led);
    try_next(connection, thread)
}

/// All of the table, one after the other.
pub fn next(cluster: &Cluster, at: &mut usize) -> Option<Arc<Endpoint>> {
    let endpoint = cluster.endpoints.get(*at).cloned();
    *at += 1;
    endpoint
}

/// The one that was tried last is there.
pub fn answered(connection: &mut Connection, thread: &mut Thread) -> Next {
    if let Some(led) = connection.led.take()
        && let Some(endpoint) = &led.endpoint
    {
        thread.attempted(&led.cluster, endpoint.id, "ok");
    }
    // As much of a header as goes at once: nobody waits for an answer to it.
    if let Some(mut up) = connection.up.take() {
        let _ = flush(&mut connection.way_up, &mut up);
    }
    (connection.way_up.owed, connection.way_up.owed_from) = (Vec::new(), 0);
    (connection.connect_by, connection.keep_alive_at) = (NEVER, NEVER);
    mtls::begin_handshake(connection, thread)
}

pub fn nobody(connection: &mut Connection) -> Next {
    if let Some(led) = connection.led.as_mut() {
        led.endpoint = None;
    }
    connection.fail("upstream-connect", "nothing behind answers; closed before a byte, so that the caller tries elsewhere", &["UF"]);
    Next::Reset
}
