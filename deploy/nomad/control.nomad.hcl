# One control plane over Nomad and Consul. Nomad accepts no registrations from outside, so what is imported is found in Consul.
variable "image" {
  type    = string
  default = "isthmus:0.1.0"
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

    ephemeral_disk {
      sticky  = true
      migrate = true
    }

    task "control" {
      driver       = "docker"
      kill_timeout = "45s"

      config {
        image        = var.image
        network_mode = "host"
        args         = ["control", "-c", "/local/isthmus.yaml"]
      }

      template {
        destination = "local/isthmus.yaml"
        change_mode = "signal"
        change_signal = "SIGHUP"
        data        = <<YAML
apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: mesh.example.com
  network: east
  stateDir: /alloc/data/isthmus
  grpc: {advertise: ["east.mesh.example.com:15012"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: nomad/east}
spec:
  type: nomad
  connection: {url: "http://127.0.0.1:4646", tokenFile: /secrets/nomad.token}
  mapping: {namespace: shop, claims: ["shop/*"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: consul/east}
spec:
  type: consul
  connection: {url: "http://127.0.0.1:8500", tokenFile: /secrets/consul.token}
  publish: true
  mapping: {namespace: shop, claims: ["shop/*"]}
YAML
      }

      resources {
        cpu    = 200
        memory = 512
      }
    }
  }
}
