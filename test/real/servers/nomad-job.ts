/** A service that runs as a plain process on the Nomad client, found through Nomad's own service discovery. */
export interface RawExecService {
  readonly job: string;
  /** Name under which it is registered; the job's unless said. */
  readonly service?: string;
  readonly namespace?: string;
  readonly command: string;
  /** `${NOMAD_PORT_main}` stands for the port, as Nomad's own interpolation does. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly count?: number;
  /** A fixed port, with a count of 1; a port of Nomad's choice unless said. */
  readonly port?: number;
  readonly tags?: readonly string[];
  /** An HTTP check of this path, or a TCP check. */
  readonly check?: { readonly http: string } | 'tcp';
  readonly meta?: Readonly<Record<string, string>>;
}

/** The job as Nomad's API takes it (POST /v1/jobs). Pure. */
export function rawExecJob(service: RawExecService, datacenter: string): Record<string, unknown> {
  const port =
    service.port === undefined ? { DynamicPorts: [{ Label: 'main' }] } : { ReservedPorts: [{ Label: 'main', Value: service.port }] };
  return {
    ID: service.job,
    Name: service.job,
    Namespace: service.namespace ?? 'default',
    Type: 'service',
    Datacenters: [datacenter],
    Meta: service.meta ?? {},
    TaskGroups: [
      {
        Name: 'main',
        Count: service.count ?? 1,
        Networks: [{ Mode: 'host', ...port }],
        Services: [registration(service)],
        RestartPolicy: { Attempts: 10, Interval: seconds(60), Delay: seconds(1), Mode: 'delay' },
        ReschedulePolicy: { Unlimited: true, Delay: seconds(5), DelayFunction: 'constant' },
        EphemeralDisk: { SizeMB: 10 },
        Tasks: [task(service)],
      },
    ],
  };
}

function task(service: RawExecService): Record<string, unknown> {
  return {
    Name: 'main',
    Driver: 'raw_exec',
    Config: { command: service.command, args: [...service.args] },
    Env: service.env ?? {},
    Resources: { CPU: 20, MemoryMB: 32 },
    KillTimeout: seconds(2),
    LogConfig: { MaxFiles: 1, MaxFileSizeMB: 5 },
  };
}

function registration(service: RawExecService): Record<string, unknown> {
  const name = service.service ?? service.job;
  return { Name: name, Provider: 'nomad', PortLabel: 'main', AddressMode: 'auto', Tags: service.tags ?? [], Checks: checks(service) };
}

function checks({ check }: RawExecService): Record<string, unknown>[] {
  if (check === undefined) return [];
  const every = { Interval: seconds(1), Timeout: seconds(1) };
  return check === 'tcp' ? [{ Name: 'tcp', Type: 'tcp', ...every }] : [{ Name: 'http', Type: 'http', Path: check.http, ...every }];
}

/** Nomad's API counts in nanoseconds. */
function seconds(count: number): number {
  return count * 1_000_000_000;
}
