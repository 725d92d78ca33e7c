import type { ComponentChildren } from 'preact'
import { ApiError } from './api'
import { Said } from './said'
import { t } from './shell-words'

/** What stands where there is nothing to show: what this place is for, and how it gets filled. */
export function Notice({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <section class="notice">
      <h2>{title}</h2>
      <div>{children}</div>
    </section>
  )
}

export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  if (error instanceof ApiError && error.status === 401)
    return <Notice title={t('tokenNeeded')}>{t('tokenNeededSays')}</Notice>
  if (error instanceof ApiError && error.status === 404)
    return <Notice title={t('noRun')}>{t('noRunSays')}</Notice>
  return (
    <Notice title={t('failed')}>
      <p><Said text={error instanceof Error ? error.message : String(error)} /></p>
      {again && <button onClick={again}>{t('again')}</button>}
    </Notice>
  )
}

export const Waiting = () => <p class="waiting">{t('loading')}</p>
