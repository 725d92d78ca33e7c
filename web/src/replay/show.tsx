/** An episode on the screen: the robot, its playhead, and what belongs to the instant. */
import { Curves } from './curves'
import { FactsPanel } from './facts'
import { FallStrip } from './fall-strip'
import { GaitLanes } from './gait-lanes'
import type { Player } from './player'
import { t } from './replay-words'
import { Transport } from './transport'
import { Viewer, type Part } from './viewer'
import './replay.css'

export function Show({ parts, player }: { parts: Part[]; player: Player }) {
  const lead = parts[0]!.loaded
  const { facts } = lead.episode
  return (
    <div class="replay">
      <div class="replay-main">
        {facts.problem ? <p class="problem" role="status">{t('noMotion', { why: facts.problem })}</p> : <Viewer parts={parts} player={player} name={facts.key.replaceAll(':', '-')} />}
        <Transport player={player} />
        <GaitLanes loaded={lead} player={player} />
        <FallStrip loaded={lead} player={player} />
      </div>
      <div class="replay-side">
        <FactsPanel facts={facts} />
        <Curves loaded={lead} player={player} />
      </div>
    </div>
  )
}
