# Where a gateway keeps its identity, so that a restart needs no new token: run this once for each node that has a gateway
# (volumes of one name go to different nodes).
# nomad volume create gateway.state.volume.hcl
name      = "isthmus-gateway"
type      = "host"
plugin_id = "mkdir"

capability {
  access_mode     = "single-node-writer"
  attachment_mode = "file-system"
}

parameters {
  mode = "0700"
  uid  = "1000"
  gid  = "1000"
}
