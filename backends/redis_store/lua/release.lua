#!lua flags=allow-oom
-- Free locks that hold exactly this owner and this acquisition.
-- KEYS: meta locks news sizes   ARGV: run shift owner keys tokens
if restarted() then return 'RESTARTED' end
local locks, owner, keys, tokens = KEYS[2], ARGV[3], ARGV[4], ARGV[5]
local freed, count = 0, #keys / 32
for first = 0, count - 1, 1000 do
  local list = cut(keys, first, math.min(first + 1000, count) - 1)
  local held, free = call('HMGET', locks, unpack(list)), {}
  for i = 1, #list do
    local at = (first + i - 1) * 8
    if held[i] == owner .. sub(tokens, at + 1, at + 8) then free[#free + 1] = list[i] end
  end
  if #free > 0 then freed = freed + call('HDEL', locks, unpack(free)) end
end
if freed > 0 then tell(KEYS[3], KEYS[4], '', '') end
return freed
