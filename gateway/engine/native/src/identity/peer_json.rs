use serde::ser::{Serialize, SerializeMap, Serializer};

use super::peer::Peer;

/// As the engines' contract has it (PeerIdentity in connection-contract.ts): what does not hold of a peer is absent.
impl Serialize for Peer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let texts = [
            ("spiffeId", &self.spiffe_id),
            ("principal", &self.principal),
            ("trustDomain", &self.trust_domain),
            ("namespace", &self.namespace),
            ("serviceAccount", &self.service_account),
            ("cluster", &self.cluster),
            ("fingerprint", &self.fingerprint),
        ];
        for (name, text) in texts {
            map.serialize_entry(name, text)?;
        }
        map.serialize_entry("dnsSans", &self.dns_sans)?;
        if self.foreign {
            map.serialize_entry("foreign", &true)?;
        } else {
            // Foreign ones are numbered by their own issuers: among ours they would be taken for others'.
            map.serialize_entry("serial", &self.serial)?;
        }
        if let Some(root) = &self.root {
            map.serialize_entry("root", root)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_the_contract_says() {
        let peer = Peer {
            spiffe_id: "spiffe://m/ns/a/sa/b".into(),
            dns_sans: vec!["east.cluster.m".into()],
            serial: "1f".into(),
            root: Some("aa".into()),
            not_after_ms: 7,
            ..Peer::default()
        };
        let json = serde_json::to_value(&peer).unwrap();
        let keys = "cluster dnsSans fingerprint namespace principal root serial serviceAccount spiffeId trustDomain";
        assert_eq!(json.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" "), keys);
        let foreign = serde_json::to_value(Peer { foreign: true, root: None, ..peer }).unwrap();
        assert_eq!((foreign.get("serial"), foreign.get("root")), (None, None));
        assert_eq!((&foreign["foreign"], &foreign["dnsSans"][0]), (&true.into(), &"east.cluster.m".into()));
    }
}
