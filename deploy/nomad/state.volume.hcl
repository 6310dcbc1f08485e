# Where the control plane keeps its root and its state: a dynamic host volume (Nomad 1.10), owned by the user of the image.
# nomad volume create state.volume.hcl
name      = "isthmus-control"
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
