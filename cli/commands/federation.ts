import type { Command } from 'commander';
import type { Federation, FederationBundle, FederationDomain } from '../../core/admin/index.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, callAndEmit, clientFor, type LeafOptions } from '../leaf.ts';
import { domainText, federationTable } from '../text/federation-text.ts';

type Options = LeafOptions & TargetOptions;

export function addFederationList(federation: Command, io: Io): void {
  apiLeaf(federation, 'list', 'trust domains whose identities may be let in, and how old what is known of them is', [
    'federation list',
    'federation list --output json | jq \'.domains[] | select(.state != "current")\'',
  ]).action((options: Options) => callAndEmit(io, options, (client) => client.get<Federation>('/v1/federation'), federationTable));
}

export function addFederationShow(federation: Command, io: Io): void {
  apiLeaf(federation, 'show <trust-domain>', 'one of them: its authorities, its endpoint, and what was last wrong', [
    'federation show partner.example',
  ]).action(async (trustDomain: string, options: Options) => {
    const client = await clientFor(options, io);
    const { domains } = await client.get<Federation>('/v1/federation');
    const found = domains.find((each) => each.trustDomain === trustDomain);
    if (found === undefined)
      throw new CliError(
        exitCode.invalid,
        'NOT_FOUND',
        `${trustDomain} is not federated: name it in a FederatedTrustDomain of the control plane's configuration`,
      );
    emit(io, options.output, found, domainText(found));
  });
}

export function addFederationRefresh(federation: Command, io: Io): void {
  apiLeaf(federation, 'refresh <trust-domain>', 'asks its bundle endpoint now; what is known stays where that fails', [
    'federation refresh partner.example',
  ]).action((trustDomain: string, options: Options) =>
    callAndEmit(
      io,
      options,
      (client) => client.post<FederationDomain>(`/v1/federation/${encodeURIComponent(trustDomain)}/refresh`, {}),
      domainText,
    ),
  );
}

export function addFederationBundle(federation: Command, io: Io): void {
  apiLeaf(federation, 'bundle', 'the bundle of this trust domain, for others to begin with: a JWK Set as SPIFFE has it', [
    'federation bundle > mesh.example.json',
  ]).action((options: Options) =>
    callAndEmit(
      io,
      options,
      (client) => client.get<FederationBundle>('/v1/federation/bundle'),
      ({ document }) => document.trimEnd(),
    ),
  );
}
