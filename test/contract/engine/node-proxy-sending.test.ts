import { NodeEngine } from '../../../gateway/engine/index.ts';
import { proxySendingSuite } from './proxy-sending-suite.ts';

proxySendingSuite('node', (options, tables) => new NodeEngine(options, tables));
