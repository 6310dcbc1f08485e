import { NodeEngine } from '../../../gateway/engine/index.ts';
import { withdrawnSuite } from './withdrawn-suite.ts';

withdrawnSuite('node', (options, tables) => new NodeEngine(options, tables));
