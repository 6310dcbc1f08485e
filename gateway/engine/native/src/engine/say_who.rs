use super::connection::Connection;
use crate::net::local_address;
use crate::parse::proxy_protocol::{ProvenCaller, ProxiedConnection, write_proxy_header};

/// TCP to an endpoint stands: the first that it gets is who called, before TLS, where its cluster is to be told. Each endpoint that is tried is
/// told anew.
pub fn called(connection: &mut Connection) {
    let Some(led) = connection.led.as_ref() else { return };
    let Some(version) = led.cluster.proxy_protocol else { return };
    let id = connection_id(connection.number);
    let down = connection.down.as_ref();
    let version_of_tls = down.and_then(|down| down.tls.as_ref()).map(|tls| tls.version());
    let proven = version_of_tls.zip(connection.peer.as_deref());
    let caller = ProxiedConnection {
        ends: connection.destination().map(|destination| (connection.source, destination)),
        unique_id: &id,
        authority: connection.sni.as_deref().unwrap_or(""),
        alpn: b"",
        tls: proven.map(|(version, peer)| ProvenCaller { version, name: &peer.spiffe_id }),
    };
    // A look of our own is nobody's call.
    let caller = if led.looking.is_some() { None } else { Some(&caller) };
    write_proxy_header(version, caller, &mut connection.way_up.owed);
}

impl Connection {
    /// Where it was to go.
    pub fn destination(&self) -> Option<std::net::SocketAddr> {
        self.told.or_else(|| self.down.as_ref().and_then(|down| local_address(down.fd_raw())))
    }
}

/// As reports name it (read-report.ts).
fn connection_id(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    std::iter::once('n').chain(digits.iter().rev().map(|digit| char::from(*digit))).collect()
}

#[cfg(test)]
mod tests {
    use super::connection_id;

    #[test]
    fn ids_are_those_of_reports() {
        assert_eq!([0, 35, 36, 12_345_678].map(connection_id), ["n0", "nz", "n10", "n7clzi"]);
    }
}
