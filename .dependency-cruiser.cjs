// The architecture as rules: data flows one way, everything points at core/, nothing imports test/.
const from = (path, to, name, comment, pathNot) => ({
  name,
  comment,
  severity: 'error',
  from: { path, ...(pathNot ? { pathNot } : {}) },
  to: { path: to },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    from('^core/', '^(registries|control|gateway|sidecar-vm|cli|test|bench)/', 'core-depends-on-nothing', 'core/ is the vocabulary'),
    from('^registries/', '^(control|gateway|sidecar-vm|cli)/', 'registries-only-core', 'an adapter knows its registry and the contract'),
    from('^registries/([^/]+)/', '^registries/(?!$1/)', 'registries-apart', 'adapters do not know each other', '^registries/index'),
    from('^control/catalog/', '^control/(?!catalog/)', 'catalog-only-core', 'the catalog is the first pure stage'),
    from('^control/policy/', '^control/(?!policy/|catalog/)', 'policy-after-catalog', 'policy reads the catalog view'),
    from(
      '^control/snapshot/',
      '^control/(?!snapshot/|routing/|policy/|catalog/)',
      'snapshot-after-policy',
      'snapshots are built from routing, policy and catalog',
    ),
    from(
      '^control/routing/',
      '^control/(?!routing/|policy/|catalog/)',
      'routing-after-policy',
      'traffic rules are compiled from objects and the view',
    ),
    from('^control/xds/', '^control/(?!xds/|snapshot/|catalog/|policy/)', 'xds-after-snapshot', 'xDS serves snapshots'),
    from(
      '^control/migrate/',
      '^control/(?!migrate/|leadership/|routing/|policy/|catalog/)',
      'migrate-apart',
      'a migration reads the view and writes its state; the composition root joins it to the rest',
    ),
    from(
      '^control/(store|leadership|ca|config|federation|telemetry|publish)/',
      '^control/(main|admin|peering|xds)',
      'leaves-of-control',
      'only the composition root joins them',
    ),
    from('^gateway/', '^(registries|control|sidecar-vm|cli)/', 'gateway-only-core', 'data reaches the gateway as xDS bytes only'),
    from('^sidecar-vm/', '^(registries|control|cli)/', 'sidecar-core-and-gateway', 'data reaches the agent as xDS bytes only'),
    from(
      '^sidecar-vm/',
      '^gateway/(?!(envoy/)?index\\.ts$)',
      'sidecar-through-gateway-index',
      'the gateway is embedded by its public surface',
    ),
    from(
      '^cli/',
      '^(registries|control|gateway|sidecar-vm)/(?!(main|index|supervisor/index|envoy/index)\\.ts$)',
      'cli-starts-mains',
      'commands start mains or call the admin API',
    ),
    from(
      '^(core|registries|control|gateway|sidecar-vm|cli|bench)/',
      '^test/',
      'nothing-imports-test',
      'tests look in, never the other way',
      '^core/xds/gen',
    ),
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^(core|registries|control|gateway|sidecar-vm|cli)/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^build/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
