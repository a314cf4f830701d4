#!lua flags=allow-oom
-- After a restart: free the locks of this owner that it no longer holds, and take those
-- again that it holds and that were lost, where nobody else has them.
-- KEYS: meta owners locks news sizes   ARGV: run shift owner keys tokens
if restarted() then return 'RESTARTED' end
local locks, owner, keys, tokens = KEYS[3], ARGV[3], ARGV[4], ARGV[5]
local held = {}
for i = 0, #keys / 32 - 1 do
  held[sub(keys, i * 32 + 1, i * 32 + 32)] = owner .. sub(tokens, i * 8 + 1, i * 8 + 8)
end
local all, freed = call('HGETALL', locks), 0
for i = 1, #all, 2 do
  local key, lock = all[i], all[i + 1]
  if sub(lock, 1, 16) == owner and held[key] ~= lock then
    call('HDEL', locks, key)
    freed = freed + 1
  end
end
if call('HEXISTS', KEYS[2], owner) == 1 then
  for key, lock in pairs(held) do call('HSETNX', locks, key, lock) end
end
if freed > 0 then tell(KEYS[4], KEYS[5], '', '') end
return freed
