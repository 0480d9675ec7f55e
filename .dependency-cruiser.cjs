/** Arrows between folders. A wrong arrow fails the build; docs/developers/layout.md says why each rule exists. */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'domain-imports-nothing',
      severity: 'error',
      from: { path: '^libs/domain/src', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^libs/domain/src' },
    },
    {
      name: 'contracts-import-zod-and-domain-types',
      severity: 'error',
      from: { path: '^libs/contracts/src', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^libs/contracts/|node_modules/zod|^libs/domain/src' },
    },
    {
      name: 'contracts-take-only-types-from-domain',
      severity: 'error',
      from: { path: '^libs/contracts/src', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/domain/src', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'event-store-knows-no-domain-word',
      severity: 'error',
      from: { path: '^libs/event-store' },
      to: { path: '^(services|libs/(?!event-store|configuration|transport|runtime|observability|testing))' },
    },
    {
      name: 'messaging-eci-kubernetes-stand-alone',
      severity: 'error',
      from: { path: '^libs/(messaging|eci|kubernetes)/' },
      to: { path: '^(services|libs/(?!$1|contracts|domain|transport|runtime|observability|testing))' },
    },
    {
      name: 'adapters-take-only-types-from-domain',
      severity: 'error',
      from: { path: '^libs/(messaging|eci)/src', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/domain/src', dependencyTypesNot: ['type-only'] },
    },
    { name: 'libs-never-import-services', severity: 'error', from: { path: '^libs/' }, to: { path: '^services/' } },
    {
      name: 'no-nest-in-libs',
      severity: 'error',
      from: { path: '^libs/', pathNot: ['/nest\\.ts$', '\\.spec\\.ts$'] },
      to: { path: 'node_modules/@nestjs' },
    },
    {
      name: 'services-never-import-each-other',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: '^services/standalone/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'simulator-shares-no-client-code',
      severity: 'error',
      from: { path: '^services/eci-simulator/' },
      to: { path: '^libs/(?!callers|configuration|observability|runtime|testing)' },
    },
    {
      name: 'agent-never-sees-cloud-or-store',
      severity: 'error',
      from: { path: '^services/agent/' },
      to: { path: '^libs/(event-store|eci|domain)/' },
    },
    {
      name: 'only-tests-import-testing',
      severity: 'error',
      from: { path: '^(libs|services|migrations)/', pathNot: ['^libs/testing/', '\\.spec\\.ts$'] },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'kafkajs-behind-messaging',
      severity: 'error',
      from: { pathNot: ['^libs/(messaging|testing)/', '^test/'] },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'eci-sdk-behind-eci',
      severity: 'error',
      from: { pathNot: ['^libs/eci/', '\\.spec\\.ts$', '^test/'] },
      to: { path: 'node_modules/@alicloud' },
    },
    {
      name: 'kubernetes-client-behind-kubernetes',
      severity: 'error',
      from: { pathNot: ['^libs/kubernetes/', '\\.spec\\.ts$', '^test/', '^libs/testing/'] },
      to: { path: 'node_modules/@kubernetes' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { conditionNames: ['source', 'import', 'node', 'default'], exportsFields: ['exports'] },
  },
};
