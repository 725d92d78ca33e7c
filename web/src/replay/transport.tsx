/** Play, pause, step, scrub, speed. */
import { useKeys, type Key } from '../shell/keys'
import { SPEEDS, type Player } from './player'
import { t } from './replay-words'
import { follow } from './viewer'

export const playerKeys = (player: Player): Key[] => [
  { key: ' ', says: () => t('keyPlay'), act: player.toggle },
  { key: 'ArrowLeft', says: () => t('keyBack'), act: () => player.step(-1) },
  { key: 'ArrowRight', says: () => t('keyOn'), act: () => player.step(1) },
  { key: ',', says: () => t('keyBackMore'), act: () => player.step(-10) },
  { key: '.', says: () => t('keyOnMore'), act: () => player.step(10) },
  { key: '-', says: () => t('keySlower'), act: () => player.faster(-1) },
  { key: '+', says: () => t('keyFaster'), act: () => player.faster(1) },
  { key: 'f', says: () => t('keyFollow'), act: () => (follow.value = !follow.value) },
]

/** @param mark An instant to be seen on the bar, s. */
export function Transport({ player, mark = 0 }: { player: Player; mark?: number }) {
  useKeys(playerKeys(player))
  const { time, duration, playing, speed, stepS } = player
  const shownTime = Math.min(time.value, duration.value)
  return (
    <section class="transport">
      <button class="main" onClick={player.toggle} aria-label={playing.value ? t('pause') : t('play')}>{playing.value ? '❚❚' : '▶'}</button>
      <button onClick={() => player.seek(0)} aria-label={t('toStart')}>|◂</button>
      <button onClick={() => player.step(-1)} aria-label={t('stepBack')}>◂</button>
      <button onClick={() => player.step(1)} aria-label={t('stepOn')}>▸</button>
      <button onClick={() => player.seek(duration.value)} aria-label={t('toEnd')}>▸|</button>
      <span class="scrub-over" data-mark={mark > 0 || undefined} style={{ '--mark': Math.min(1, mark / (duration.value || 1)) }}>
        <input
          type="range"
          class="scrub"
          aria-label={t('time')}
          aria-valuetext={`${shownTime.toFixed(2)} s`}
          min="0"
          max={duration.value}
          step={stepS.value}
          value={shownTime}
          onInput={(event) => player.seek(Number(event.currentTarget.value))}
        />
      </span>
      <output class="clock">{shownTime.toFixed(2)} / {duration.value.toFixed(2)} s</output>
      <label>
        <span class="unseen">{t('speed')}</span>
        <select value={String(speed.value)} onChange={(event) => (speed.value = Number(event.currentTarget.value))}>
          {SPEEDS.map((each) => <option key={each} value={String(each)}>{each} ×</option>)}
        </select>
      </label>
    </section>
  )
}
