//! Names that callers of the mesh ask for by SNI, in Istio's form: `outbound_.PORT_.SUBSET_.HOST`.

/// What such a name says. Port 1-65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceTarget<'a> {
    pub port: u16,
    /// Empty: endpoints that terminate mTLS themselves, all of them.
    pub subset: &'a str,
    pub host: &'a str,
}

/// SNI subset that asks a gateway to be the mTLS end.
const GATEWAY_SUBSET: &str = "gateway";

/// The same for the endpoints of one subset. No user's subset has an underscore.
pub fn gateway_subset_of(subset: &str) -> String {
    if subset.is_empty() { GATEWAY_SUBSET.to_owned() } else { format!("{GATEWAY_SUBSET}_{subset}") }
}

/// `None`: a passthrough subset (maybe empty); else the user's subset behind a gateway that is the mTLS end.
pub fn terminated_subset(subset: &str) -> Option<&str> {
    let behind = subset.strip_prefix(GATEWAY_SUBSET)?;
    if behind.is_empty() { Some(behind) } else { behind.strip_prefix('_') }
}

/// `None` when it is not of the form, or the port is out of range. Names are lower-case.
pub fn parse_sni_name(text: &str) -> Option<ServiceTarget<'_>> {
    let (port, rest) = text.strip_prefix("outbound_.")?.split_once("_.")?;
    let (subset, host) = rest.split_once("_.")?;
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = (1..=5).contains(&port.len())
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && subset.bytes().all(|byte| label(byte) || byte == b'_')
        && (1..=253).contains(&host.len())
        && host.bytes().all(|byte| label(byte) || byte == b'.');
    let port: u16 = port.parse().ok()?;
    (sound && port != 0).then_some(ServiceTarget { port, subset, host })
}

/// The inverse of `parse_sni_name`.
pub fn sni_name(target: ServiceTarget<'_>) -> String {
    let ServiceTarget { port, subset, host } = target;
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// The port that a caller asks for by this name; 0 when it is not of the form.
pub fn port_of(sni: &str) -> u16 {
    parse_sni_name(sni).map_or(0, |target| target.port)
}
