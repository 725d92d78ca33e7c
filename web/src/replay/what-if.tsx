/** Ask how an episode would have gone: other friction, mass, gravity, a push. */
import { useSignal } from '@preact/signals'
import { route, setParams } from '../shell/route'
import { t } from './replay-words'
import type { Changes } from './server'

const FIELDS = [
  { name: 'friction', plain: '1', step: '0.1', min: '0', max: '10' },
  { name: 'mass', plain: '0', step: '0.5', min: '-100', max: '1000' },
  { name: 'gravity', plain: '1', step: '0.1', min: '-2', max: '5' },
  { name: 'push_x', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_y', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_s', plain: '0', step: '0.1', min: '0', max: '1000' },
] as const

const SAYS = { friction: 'ifFriction', mass: 'ifMass', gravity: 'ifGravity', push_x: 'ifPushX', push_y: 'ifPushY', push_s: 'ifPushS' } as const

/** The changes that an address names (`friction:0.3,mass:2`); null where it names none. */
export function changesOf(text: string | null): Changes | null {
  const found: Changes = {}
  for (const part of (text ?? '').split(',')) {
    const [name = '', value = ''] = part.split(':')
    const field = FIELDS.find((each) => each.name === name)
    if (field && Number.isFinite(Number.parseFloat(value))) found[field.name] = value
  }
  return Object.keys(found).length ? found : null
}

export function WhatIf({ waiting, failed }: { waiting: boolean; failed: string | null }) {
  const now = changesOf(route.value.params.get('if')) ?? {}
  const wanted = useSignal<Changes>(now)
  const ask = (event: Event) => {
    event.preventDefault()
    const changed = FIELDS.filter(({ name, plain }) => (wanted.value[name] ?? plain) !== plain)
    // Without a change it is simulated as it was: then one robot hides the other.
    const text = changed.map(({ name }) => `${name}:${wanted.value[name]}`).join() || 'friction:1'
    setParams({ if: text }, 'push')
  }
  return (
    <details class="what-if" open={Object.keys(now).length > 0}>
      <summary>{t('ifTitle')}</summary>
      <p class="muted">{t('ifSays')}</p>
      <form onSubmit={ask}>
        {FIELDS.map(({ name, plain, ...bounds }) => (
          <label key={name}>
            {t(SAYS[name])}
            <input type="number" {...bounds} value={wanted.value[name] ?? plain} onInput={(event) => (wanted.value = { ...wanted.value, [name]: event.currentTarget.value })} />
          </label>
        ))}
        <button class="main" disabled={waiting}>{waiting ? t('ifWaiting') : t('ifAsk')}</button>
        {Object.keys(now).length > 0 && <button type="button" onClick={() => setParams({ if: null })}>{t('alone')}</button>}
      </form>
      {failed && <p class="bad" role="status">{failed}</p>}
    </details>
  )
}
