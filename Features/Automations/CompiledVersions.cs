using System.Collections.Concurrent;

namespace Bellhop.Features.Automations;

/// <summary>Compiled versions of automations, kept in memory. Versions never change, so none is ever stale; 1,000 at most.</summary>
internal sealed class CompiledVersions
{
    private const int Capacity = 1000;

    // written by whoever compiles first, read by every carrier
    private readonly ConcurrentDictionary<(Guid Automation, int Version), CompiledAutomation> _versions = new();

    public CompiledAutomation? Find(LoadedRun run) => _versions.GetValueOrDefault((run.AutomationId, run.Version));

    /// <summary>Compiles what was saved. That it does not compile any more is a bug of this binary.</summary>
    public CompiledAutomation Add(LoadedRun run, string definition)
    {
        if (_versions.Count >= Capacity)
        {
            _versions.Clear();
        }

        var compiled = CompiledAutomation.Compile(AutomationDocument.Read(definition), null).Unwrap();
        return _versions[(run.AutomationId, run.Version)] = compiled;
    }
}
