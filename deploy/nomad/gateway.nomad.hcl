# The token comes from `isthmus gateway token` and is put where the template reads it: nomad var put nomad/jobs/isthmus-gateway token=...
variable "image" {
  type    = string
  default = "isthmus:0.1.0"
}

variable "advertise" {
  type    = string
  default = "east-gateway.mesh.example.com"
}

job "isthmus-gateway" {
  type = "service"

  group "gateway" {
    count = 2

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    network {
      mode = "host"
      port "eastwest" { static = 15443 }
    }

    task "gateway" {
      driver       = "docker"
      kill_timeout = "60s"

      config {
        image        = var.image
        network_mode = "host"
        args = ["gateway", "--state-dir", "/alloc/data/isthmus-gateway", "--token-file", "/secrets/gateway.token",
        "--listen", "0.0.0.0:15443", "--advertise", var.advertise]
      }

      template {
        destination = "secrets/gateway.token"
        perms       = "400"
        data        = "{{ with nomadVar \"nomad/jobs/isthmus-gateway\" }}{{ .token }}{{ end }}"
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
