import type { Command } from 'commander';
import { runCommands } from './command-line.ts';
import { addAgent } from './commands/agent.ts';
import { addApply } from './commands/apply.ts';
import { addCaBackup, addCaRestore } from './commands/ca-backup.ts';
import { addCaImport } from './commands/ca-import.ts';
import { addCaInit } from './commands/ca-init.ts';
import { addCaInstall, addCaRequest } from './commands/ca-request.ts';
import { addCaRotate } from './commands/ca-rotate.ts';
import { addCaSign } from './commands/ca-sign.ts';
import { addCaStatus } from './commands/ca-status.ts';
import { addConfirm } from './commands/confirm.ts';
import { addControlInit } from './commands/control-init.ts';
import { addControlRun } from './commands/control-run.ts';
import { addDelete } from './commands/delete.ts';
import { addDemo } from './commands/demo.ts';
import { addDrift } from './commands/drift.ts';
import { addEnvoyBootstrap } from './commands/envoy-bootstrap.ts';
import { addExplain } from './commands/explain.ts';
import { addFederationBundle, addFederationList, addFederationRefresh, addFederationShow } from './commands/federation.ts';
import { addGateway } from './commands/gateway.ts';
import { addGet } from './commands/get.ts';
import { addGrpcBootstrap } from './commands/grpc-bootstrap.ts';
import { addHistory } from './commands/history.ts';
import { addMigrateFreeze, addMigrateUnfreeze } from './commands/migrate-freeze.ts';
import { addMigrateList } from './commands/migrate-list.ts';
import { addMigratePlan } from './commands/migrate-plan.ts';
import { addMigrateReport } from './commands/migrate-report.ts';
import { addMigrateStart } from './commands/migrate-start.ts';
import { addMigrateStatus } from './commands/migrate-status.ts';
import {
  addMigrateAbort,
  addMigrateApprove,
  addMigrateFinish,
  addMigratePause,
  addMigrateResume,
  addMigrateRollback,
} from './commands/migrate-steer.ts';
import { addMtlsStatus } from './commands/mtls-status.ts';
import { addPeerInvite } from './commands/peer-invite.ts';
import { addPeerJoin } from './commands/peer-join.ts';
import { addPeerList } from './commands/peer-list.ts';
import { addPeerRemove } from './commands/peer-remove.ts';
import { addPlan } from './commands/plan.ts';
import { addRollback } from './commands/rollback.ts';
import { addStatus } from './commands/status.ts';
import { addTraffic } from './commands/traffic.ts';
import { addUninstall } from './commands/uninstall.ts';
import { addVersion } from './commands/version.ts';
import { addVmCapture } from './commands/vm-capture.ts';
import { addVmDns } from './commands/vm-dns.ts';
import { addVmIdentity } from './commands/vm-identity.ts';
import { addVmJoin } from './commands/vm-join.ts';
import { addVmLeave } from './commands/vm-leave.ts';
import { addVmList } from './commands/vm-list.ts';
import { addVmRevoke } from './commands/vm-revoke.ts';
import { addVmService } from './commands/vm-service.ts';
import { addVmStatus } from './commands/vm-status.ts';
import { addVmToken } from './commands/vm-token.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Runs one command line (without node and script) to its end. Never throws. */
export function runCli(args: readonly string[], io: Io): Promise<ExitCode> {
  return runCommands(args, io, addCommands);
}

function addCommands(program: Command, io: Io): void {
  const group = (name: string, description: string) => program.command(name).description(description);
  const control = group('control', 'the control plane of one cluster').enablePositionalOptions();
  addControlRun(control, io);
  addControlInit(control, io);
  const ca = group('ca', 'the root of a trust domain, where its key is kept');
  for (const add of [addCaInit, addCaImport, addCaSign, addCaStatus, addCaRequest, addCaInstall, addCaRotate, addCaBackup, addCaRestore])
    add(ca, io);
  const vm = group('vm', 'VMs and the agent on them');
  for (const add of [addVmToken, addVmJoin, addVmStatus, addVmList, addVmRevoke, addVmLeave]) add(vm, io);
  for (const add of [addVmService, addVmCapture, addVmDns, addVmIdentity]) add(vm, io);
  addMtlsStatus(group('mtls', 'what services take, and who still speaks plaintext to them'), io);
  const peer = group('peer', 'other clusters of the mesh');
  for (const add of [addPeerInvite, addPeerJoin, addPeerList, addPeerRemove]) add(peer, io);
  const federation = group('federation', 'other trust domains, and the bundle of this one');
  for (const add of [addFederationList, addFederationShow, addFederationRefresh, addFederationBundle]) add(federation, io);
  const migrate = group('migrate', 'move live services between runtimes, by measured steps');
  for (const add of [addMigratePlan, addMigrateStart, addMigrateStatus, addMigrateList, addMigrateReport]) add(migrate, io);
  for (const add of [addMigratePause, addMigrateResume, addMigrateApprove, addMigrateRollback, addMigrateAbort]) add(migrate, io);
  for (const add of [addMigrateFinish, addMigrateFreeze, addMigrateUnfreeze]) add(migrate, io);
  addEnvoyBootstrap(group('envoy', 'Envoys that you run yourself'), io);
  addGrpcBootstrap(group('grpc', 'gRPC programs that speak xDS themselves'), io);
  for (const add of [addPlan, addApply, addGet, addDelete, addHistory, addRollback, addConfirm]) add(program, io);
  for (const add of [addDemo, addGateway, addAgent, addStatus, addDrift, addExplain, addTraffic, addUninstall, addVersion])
    add(program, io);
}
