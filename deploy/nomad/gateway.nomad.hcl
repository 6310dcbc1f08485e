# The east-west gateways of the network "east", one a node, on the node's own ports. Needs a volume of gateway.state.volume.hcl on each of
# these nodes, and a join token, once:
#   nomad var put nomad/jobs/isthmus-gateway token="$(isthmus gateway token --max-uses 2)"
variable "image" {
  type    = string
  default = "isthmus:0.1.0"
}

variable "count" {
  type    = number
  default = 2
}

job "isthmus-gateway" {
  type = "service"

  group "gateway" {
    count = var.count

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    network {
      mode = "host"
      port "eastwest" { static = 15443 }
      port "metrics" { static = 15020 }
      # Not 15021: the control plane may be on the same node.
      port "health" { static = 15022 }
    }

    update {
      max_parallel = 1
      health_check = "checks"
      stagger      = "30s"
    }

    volume "state" {
      type            = "host"
      source          = "isthmus-gateway"
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
    }

    service {
      name     = "isthmus-gateway"
      provider = "nomad"
      port     = "health"

      check {
        type     = "http"
        path     = "/healthz/ready"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "gateway" {
      driver       = "docker"
      kill_timeout = "45s"

      config {
        image        = var.image
        network_mode = "host"
        # Where other networks know the node by another address, advertise that one.
        args = [
          "gateway",
          "--state-dir", "/var/lib/isthmus/gateway",
          "--token-file", "/secrets/gateway.token",
          "--instance", "${node.unique.name}",
          "--advertise", "${attr.unique.network.ip-address}",
          "--metrics", "0.0.0.0:15020",
          "--health", "0.0.0.0:15022",
        ]
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/isthmus"
      }

      template {
        destination = "secrets/gateway.token"
        data        = "{{ with nomadVar \"nomad/jobs/isthmus-gateway\" }}{{ .token }}{{ end }}"
        change_mode = "noop"
        perms       = "400"
        uid         = 1000
        gid         = 1000
      }

      resources {
        cpu    = 200
        memory = 512
      }
    }
  }
}
