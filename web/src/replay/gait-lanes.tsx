/** When each foot stands, over the whole episode. */
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { figure, percent } from '../shell/format'
import { FOOT_COLOURS } from './marks'
import type { Player } from './player'
import { t } from './replay-words'
import type { Loaded } from './source'

const hex = (k: number): string => `#${FOOT_COLOURS[k % FOOT_COLOURS.length]!.toString(16).padStart(6, '0')}`

export function GaitLanes({ loaded, player }: { loaded: Loaded; player: Player }) {
  const { gait, episode } = loaded
  const whole = episode.duration || 1
  const head = useRef<HTMLDivElement>(null)
  const lanes = useRef<HTMLDivElement>(null)
  useEffect(() => effect(() => {
    if (head.current) head.current.style.left = `${(100 * Math.min(player.time.value, whole)) / whole}%`
  }), [loaded])
  if (!gait.length) return null
  const seek = (event: PointerEvent) => {
    if (!(event.buttons & 1)) return
    const box = lanes.current!.getBoundingClientRect()
    player.seek(((event.clientX - box.left) / box.width) * whole)
  }
  return (
    <section class="gait" aria-label={t('gait')} style={{ '--name': `${Math.max(...gait.map(({ name }) => name.length))}ch` }}>
      <table>
        <thead><tr><th>{t('leg')}</th><th class="wide"><h2>{t('gait')}</h2></th><th class="num">{t('duty')}</th><th class="num" title={t('frequencySays')}>{t('frequency')}</th></tr></thead>
        <tbody>
          {gait.map((foot, k) => (
            <tr key={foot.name}>
              <th scope="row" title={foot.name}><i style={{ background: hex(k) }} /> {foot.name}</th>
              <td class="wide">
                <svg viewBox={`0 0 ${whole} 1`} preserveAspectRatio="none" role="img" aria-label={t('stands', { foot: foot.name })}>
                  {foot.stances.map(([from, to]) => <rect key={from} x={from} width={to - from} y="0.14" height="0.72" fill={hex(k)} />)}
                </svg>
              </td>
              <td class="num">{percent(foot.duty)}</td>
              <td class="num">{Number.isFinite(foot.frequency) ? t('hertz', { n: figure(foot.frequency, 2) }) : '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="lanes-over" ref={lanes} onPointerDown={seek} onPointerMove={seek}><div class="playhead" ref={head} /></div>
    </section>
  )
}
