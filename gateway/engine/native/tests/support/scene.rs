use std::sync::Arc;

use isthmus_engine::tls::{ClientContext, ServerContext, Target, TicketKeys, TlsEnd, TlsFault};

use super::pipe::shuttle;
use super::{Cluster, Mesh, START, Svid, now, san, set_now, uri};

/// One mesh, one cluster and the ticket keys of one process; the clock at its start.
pub struct Scene {
    pub mesh: Mesh,
    pub east: Cluster,
    pub tickets: TicketKeys,
}

impl Scene {
    pub fn new() -> Self {
        set_now(START);
        let mesh = Mesh::new();
        let east = mesh.cluster("east");
        Self { mesh, east, tickets: TicketKeys::new().unwrap() }
    }

    pub fn server(&self, svid: &Svid, alpn: &[&[u8]]) -> Arc<ServerContext> {
        self.server_denying(svid, alpn, &[])
    }

    pub fn server_denying(&self, svid: &Svid, alpn: &[&[u8]], denied: &[&str]) -> Arc<ServerContext> {
        ServerContext::new(&svid.own(), self.mesh.bundle(denied), alpn, &self.tickets, now, true).unwrap()
    }

    pub fn client(&self, svid: &Svid) -> Arc<ClientContext> {
        ClientContext::new(&svid.own(), self.mesh.bundle(&[]), now, true).unwrap()
    }

    /// Both ends after their handshake.
    pub fn connected(&self) -> [TlsEnd; 2] {
        let server = self.server(&self.east.svid("orders"), &[]);
        connect(&self.client(&self.east.svid("caller")), &target("orders"), &server).unwrap()
    }
}

pub fn target(account: &str) -> Target {
    let sni = "outbound_.8080_._.orders.shop.mesh.internal".into();
    Target { sni, uri_sans: vec![uri(account)], cluster_san: san("east"), ..Target::default() }
}

pub fn ends(client: &ClientContext, target: &Target, server: &Arc<ServerContext>) -> [TlsEnd; 2] {
    let offers = |protocol: &[u8]| target.alpn.iter().any(|each| each == protocol);
    [TlsEnd::client(&client.target(target).unwrap()).unwrap(), TlsEnd::server(server, offers).unwrap()]
}

/// Both ends after their handshake, or the first fault and whose it was.
pub fn connect(client: &ClientContext, target: &Target, server: &Arc<ServerContext>) -> Result<[TlsEnd; 2], (&'static str, TlsFault)> {
    let [mut client, mut server] = ends(client, target, server);
    shuttle(&mut client, &mut server)?;
    Ok([client, server])
}
