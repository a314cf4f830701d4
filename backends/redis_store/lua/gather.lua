-- Some fields of a hash: {next cursor, keys, values}; values only where they are 8 bytes each.
-- KEYS: meta hash   ARGV: run shift cursor values?
if restarted() then return 'RESTARTED' end
local reply = call('HSCAN', KEYS[2], ARGV[3], 'COUNT', 5000)
local keys, values = {}, {}
for i = 1, #reply[2], 2 do
  keys[#keys + 1] = reply[2][i]
  if ARGV[4] == '1' then values[#values + 1] = reply[2][i + 1] end
end
return {reply[1], table.concat(keys), table.concat(values)}
