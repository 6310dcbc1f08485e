# The control plane of the cluster "east", over Nomad and Consul, which holds the root of the mesh. Nomad accepts no registrations from
# outside, so what is imported is published in Consul. Needs the volume of state.volume.hcl, and the registries' tokens, once:
#   nomad var put nomad/jobs/isthmus-control nomad_token=@nomad.token consul_token=@consul.token
variable "image" {
  type    = string
  default = "isthmus:0.1.0"
}

variable "advertise" {
  description = "HOST:PORT where gateways, VMs and other clusters dial it."
  type        = string
  default     = "east.mesh.example.com:15012"
}

variable "callers" {
  description = "CIDRs of callers without a sidecar, as the gateway sees them."
  type        = list(string)
  default     = ["10.0.0.0/8"]
}

locals {
  config = <<YAML
apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: mesh.example.com
  network: east
  stateDir: /var/lib/isthmus/state
  identity: {rootDir: /var/lib/isthmus/root}
  grpc: {advertise: ["${var.advertise}"]}
  health: {listen: "0.0.0.0:15021"}
  originate: {sources: [{name: tasks, cidrs: ${jsonencode(var.callers)}}]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: nomad}
spec:
  type: nomad
  connection: {url: "http://127.0.0.1:4646", tokenFile: /secrets/nomad.token}
  mapping: {namespace: shop, exclude: ["isthmus-*"], claims: ["shop/*"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: consul}
spec:
  type: consul
  connection: {url: "http://127.0.0.1:8500", tokenFile: /secrets/consul.token}
  publish: true
  mapping: {namespace: shop, claims: ["shop/*"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: shop, namespace: shop}
spec:
  services: ["*"]
  audience: ["*"]
YAML
}

job "isthmus-control" {
  type = "service"

  group "control" {
    count = 1

    network {
      mode = "host"
      port "grpc" { static = 15012 }
      port "api" { static = 15014 }
      port "health" { static = 15021 }
    }

    # Its state is its own: a second one may start only when the first has ended.
    update {
      max_parallel = 1
      health_check = "checks"
      stagger      = "30s"
    }

    volume "state" {
      type            = "host"
      source          = "isthmus-control"
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
    }

    service {
      name     = "isthmus-control"
      provider = "nomad"
      port     = "health"

      check {
        type     = "http"
        path     = "/readyz"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "first-start" {
      driver = "docker"

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      config {
        image        = var.image
        network_mode = "host"
        entrypoint   = ["isthmus-first-start"]
        args         = ["/local/isthmus.yaml"]
      }

      env {
        ISTHMUS_CONTEXT_FILE = "/var/lib/isthmus/context.yaml"
        ISTHMUS_ROOT_DIR     = "/var/lib/isthmus/root"
        ISTHMUS_TRUST_DOMAIN = "mesh.example.com"
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/isthmus"
      }

      template {
        destination = "local/isthmus.yaml"
        data        = local.config
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }

    task "control" {
      driver       = "docker"
      kill_timeout = "45s"

      config {
        image        = var.image
        network_mode = "host"
        args         = ["control", "-c", "/local/isthmus.yaml"]
      }

      env {
        # For: nomad alloc exec -task control ALLOCATION isthmus status
        ISTHMUS_CONTEXT_FILE = "/var/lib/isthmus/context.yaml"
        # Less memory for each connection: docs/benchmarks.md.
        MALLOC_MMAP_THRESHOLD_ = "65536"
        MALLOC_MMAP_MAX_       = "49152"
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/isthmus"
      }

      template {
        destination   = "local/isthmus.yaml"
        data          = local.config
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }

      # Read anew for each request: nothing has to be told that they have changed.
      template {
        destination = "secrets/nomad.token"
        data        = "{{ with nomadVar \"nomad/jobs/isthmus-control\" }}{{ .nomad_token }}{{ end }}"
        change_mode = "noop"
        perms       = "400"
        uid         = 1000
        gid         = 1000
      }

      template {
        destination = "secrets/consul.token"
        data        = "{{ with nomadVar \"nomad/jobs/isthmus-control\" }}{{ .consul_token }}{{ end }}"
        change_mode = "noop"
        perms       = "400"
        uid         = 1000
        gid         = 1000
      }

      resources {
        cpu    = 200
        memory = 1024
      }
    }
  }
}
