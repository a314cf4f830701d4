#!lua flags=allow-oom
-- Remove an owner and free its locks: those that the client names, and where few locks
-- are held at all, any other. One that is left is stale from now on: its owner is gone.
-- With a number of milliseconds: only if the owner has been stale for so long.
-- KEYS: meta owners running locks news sizes   ARGV: run shift owner keys stale-for
if restarted() then return 'RESTARTED' end
if ARGV[5] ~= '' then
  local record = call('HGET', KEYS[2], ARGV[3])
  if record and number(sub(record, 1, 8)) + ARGV[5] > now() then return 0 end
end
local locks, owner, keys = KEYS[4], ARGV[3], ARGV[4]
call('HDEL', KEYS[2], owner)
call('HDEL', KEYS[3], owner)
local free = {}
if call('HLEN', locks) <= 10000 then
  local all = call('HGETALL', locks)
  for i = 1, #all, 2 do
    if sub(all[i + 1], 1, 16) == owner then free[#free + 1] = all[i] end
  end
else
  local mine = cut(keys, 0, #keys / 32 - 1)
  for i = 1, #mine do
    local lock = call('HGET', locks, mine[i])
    if lock and sub(lock, 1, 16) == owner then free[#free + 1] = mine[i] end
  end
end
for i = 1, #free, 1000 do
  call('HDEL', locks, unpack(free, i, math.min(i + 999, #free)))
end
if #free > 0 then tell(KEYS[5], KEYS[6], '', '') end
return #free
