import { NodeEngine } from '../../../gateway/engine/index.ts';
import { abuseSuite } from './abuse-suite.ts';

abuseSuite('node', (options, tables) => new NodeEngine(options, tables));
