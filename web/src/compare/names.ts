/**
 * What to call runs in a legend: without the time their folders begin with, where that still tells them apart;
 * else with the time of the day.
 */
export function shortNames(ids: readonly string[]): (id: string) => string {
  const parts = ids.map((id) => /^\d{4}-\d\d-\d\d_(\d\d-\d\d-\d\d)(?:_\d+)?-(.+)$/.exec(id))
  const names = parts.map((part, i) => part?.[2] ?? ids[i] ?? '')
  const told = names.map((name, i) => {
    const alone = names.filter((other) => other === name).length === 1
    return alone || !parts[i] ? name : `${name} ${parts[i]?.[1]?.replaceAll('-', ':')}`
  })
  const unique = new Set(told).size === told.length
  return (id) => (unique ? (told[ids.indexOf(id)] ?? id) : id)
}
