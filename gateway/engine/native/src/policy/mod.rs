pub struct Cidrs;
impl Cidrs { pub fn new(_: &[String]) -> Self { Self } pub fn contains(&self, _: std::net::IpAddr) -> bool { true } }
