use std::sync::Arc;

use isthmus_engine::tls::{TlsEnd, TlsFault};
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

/// Everything that has to go back and forth until both ends are quiet: what each said in plaintext, or the first fault and whose it was.
pub fn shuttle(client: &mut TlsEnd, server: &mut TlsEnd) -> Result<[Vec<u8>; 2], (&'static str, TlsFault)> {
    let mut said = [Vec::new(), Vec::new()];
    loop {
        let to_server = take(client);
        let to_client = take(server);
        if to_server.is_empty() && to_client.is_empty() {
            return Ok(said);
        }
        said[0].extend(give(server, &to_server).map_err(|fault| ("server", fault))?);
        said[1].extend(give(client, &to_client).map_err(|fault| ("client", fault))?);
    }
}

/// All that waits to be sent.
pub fn take(end: &mut TlsEnd) -> Vec<u8> {
    let bytes = end.outgoing().to_vec();
    end.sent(bytes.len());
    bytes
}

/// The plaintext of so much ciphertext.
pub fn give(end: &mut TlsEnd, ciphertext: &[u8]) -> Result<Vec<u8>, TlsFault> {
    let mut input = ciphertext.to_vec();
    let mut plaintext = vec![0; ciphertext.len() + 80 * 1024];
    let opened = end.open(&mut input, &mut plaintext)?;
    plaintext.truncate(opened.plaintext);
    Ok(plaintext)
}

/// The ciphertext of so much plaintext.
pub fn seal(end: &mut TlsEnd, mut plaintext: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut out = vec![0; 40_000];
    loop {
        let sealed = end.seal(plaintext, &mut out).unwrap();
        whole.extend_from_slice(&out[..sealed.written]);
        plaintext = &plaintext[sealed.taken..];
        if plaintext.is_empty() {
            return whole;
        }
        assert!(sealed.taken > 0, "nothing is taken");
    }
}

/// A client of rustls' own that has no certificate and believes everybody.
pub struct OtherClient(rustls::ClientConnection);

pub fn without_certificate(name: &'static str) -> OtherClient {
    let config = believing(rustls::DEFAULT_VERSIONS).with_no_client_auth();
    OtherClient(rustls::ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap())
}

/// The same with a certificate, by these versions of TLS alone.
pub fn with_certificate(svid: &super::Svid, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<rustls::ClientConfig> {
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(svid.key.clone().into());
    let chain = svid.chain.iter().map(|der| der.clone().into()).collect();
    Arc::new(believing(versions).with_client_auth_cert(chain, key).unwrap())
}

impl OtherClient {
    pub fn new(config: &Arc<rustls::ClientConfig>, name: &'static str) -> Self {
        Self(rustls::ClientConnection::new(config.clone(), name.try_into().unwrap()).unwrap())
    }

    pub fn connection(&mut self) -> &mut rustls::ClientConnection {
        &mut self.0
    }

    /// What the server heard until both are quiet, or its fault.
    pub fn shuttle(&mut self, server: &mut TlsEnd) -> Result<Vec<u8>, TlsFault> {
        let mut heard = Vec::new();
        loop {
            let mut bytes = Vec::new();
            while self.0.wants_write() {
                self.0.write_tls(&mut bytes).unwrap();
            }
            let back = take(server);
            if bytes.is_empty() && back.is_empty() {
                return Ok(heard);
            }
            heard.extend(give(server, &bytes)?);
            self.hear(&back);
        }
    }

    pub fn hear(&mut self, mut ciphertext: &[u8]) {
        while !ciphertext.is_empty() {
            self.0.read_tls(&mut ciphertext).unwrap();
            self.0.process_new_packets().unwrap();
        }
    }
}

fn believing(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
    rustls::ClientConfig::builder_with_protocol_versions(versions).dangerous().with_custom_certificate_verifier(Arc::new(Believer))
}

#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
