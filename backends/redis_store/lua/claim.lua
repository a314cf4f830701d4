-- Lock what is free or stale, then read the epoch and the results: one moment.
-- KEYS: meta owners locks heads epoch opening news sizes
-- ARGV: run shift owner token lease-ms keys most; most is '' for all, else keys without a
-- result come first.
-- Returns {epoch, marks, epochs}: marks are '' when all are locked, else a key '0' locked,
-- '1' busy, '2' not needed; epochs '' or 8 bytes a key.
if restarted() then return 'RESTARTED' end
local owners, locks, heads, epoch = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local owner, lease, keys = ARGV[3], tonumber(ARGV[5]), ARGV[6]
if call('HEXISTS', owners, owner) == 0 then return 'STRANGER' end
close_if_dead(KEYS[6], epoch, KEYS[7], KEYS[8], lease)
local clock = now()
-- After a restart nobody is silent yet: who lost its owner record gets time to come back.
local grace = clock < tonumber(call('HGET', meta, 'since')) + lease
local mine = owner .. ARGV[4]
local alive = {[owner] = false}
local function busy_with(lock)
  local other = sub(lock, 1, 16)
  if alive[other] == nil then
    local record = call('HGET', owners, other)
    alive[other] = grace or (record and number(sub(record, 1, 8)) > clock) or false
  end
  return alive[other]
end
local marks, any_mark, epochs, any_there = {}, false, {}, false
local count = #keys / 32
local choosy = ARGV[7] ~= ''
local left = choosy and tonumber(ARGV[7]) or count
local later = {}  -- places of keys with a result
for first = 0, count - 1, 1000 do
  local list = cut(keys, first, math.min(first + 1000, count) - 1)
  local held = call('HMGET', locks, unpack(list))
  local there = call('HMGET', heads, unpack(list))
  local take = {}
  for i = 1, #list do
    local lock = held[i]
    if lock and busy_with(lock) then
      marks[first + i] = '1'
      any_mark = true
    elseif choosy and there[i] then
      marks[first + i] = '2'
      any_mark = true
      later[#later + 1] = first + i
    elseif left == 0 then
      marks[first + i] = '2'
      any_mark = true
    else
      marks[first + i] = '0'
      left = left - 1
      take[#take + 1] = list[i]
      take[#take + 1] = mine
    end
    if there[i] then any_there = true end
    epochs[first + i] = epoch_of(there[i])
  end
  if #take > 0 then call('HSET', locks, unpack(take)) end
end
for i = 1, math.min(left, #later) do
  local at = later[i]
  marks[at] = '0'
  call('HSET', locks, sub(keys, 32 * at - 31, 32 * at), mine)
end
return {
  call('GET', epoch) or '',
  any_mark and table.concat(marks) or '',
  any_there and table.concat(epochs) or ''
}
