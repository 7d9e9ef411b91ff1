using System.ComponentModel.DataAnnotations;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>Something about a saved automation that its author should know; it was saved all the same.</summary>
/// <param name="Code"><c>possible_cycle</c>.</param>
/// <param name="Automations">The names along the way, the first one again at the end.</param>
public sealed record AutomationWarning(
    [property: AllowedValues("possible_cycle")] string Code,
    [property: MaxLength(65_536)] string Message,
    [property: MaxLength(1_000), Each(Slug.MaxLength)] IReadOnlyList<string> Automations
);

/// <summary>Finds automations that could cause each other for ever, by what they emit and what starts them.</summary>
/// <remarks>
/// Types and patterns are all it looks at: an <c>if</c> may well keep the two apart. A type that holds an expression counts by the
/// text before it. At run time such a chain ends with a held run.
/// </remarks>
internal static class CycleCheck
{
    /// <summary>The shortest way from an automation back to itself, if there is one.</summary>
    public static IReadOnlyList<AutomationWarning> Of(string name, IReadOnlyList<AutomationDocument> active)
    {
        var nodes = active.Select(Node.Of).ToArray();
        if (Array.Find(nodes, node => node.Name == name) is not { } saved)
        {
            return [];
        }

        var cameFrom = new Dictionary<Node, Node>();
        var next = new Queue<Node>([saved]);
        while (next.TryDequeue(out var node))
        {
            foreach (var started in nodes.Where(node.MayStart))
            {
                if (started == saved)
                {
                    return [Warn(Way(saved, node, cameFrom))];
                }

                if (cameFrom.TryAdd(started, node))
                {
                    next.Enqueue(started);
                }
            }
        }

        return [];
    }

    private static string[] Way(Node saved, Node last, Dictionary<Node, Node> cameFrom)
    {
        var way = new List<string> { saved.Name };
        for (var node = last; node != saved; node = cameFrom[node])
        {
            way.Insert(0, node.Name);
        }

        return [saved.Name, .. way];
    }

    private static AutomationWarning Warn(string[] way) =>
        new(
            "possible_cycle",
            $"Each of these may start the next one: {string.Join(" → ", way)}. A chain of more than {RunRoute.MaxDepth} runs is held.",
            way
        );

    private sealed record Node(string Name, EventTypePattern[] StartedBy, Emitted[] Emits)
    {
        public static Node Of(AutomationDocument document) =>
            new(
                document.Name!,
                [.. document.On!.Type!.Select(type => EventTypePattern.Parse(type)!)],
                [.. document.AllSteps().Where(step => step.Uses == StepUses.Emit).Select(Emitted.Of)]
            );

        public bool MayStart(Node other) =>
            Emits.Any(emitted => other.StartedBy.Any(pattern => emitted.MayMeet(pattern)));
    }

    /// <summary>The types a step may emit: one, or all that begin so.</summary>
    private sealed record Emitted(string Text, bool IsPrefix)
    {
        public static Emitted Of(ErrorStepDocument step)
        {
            var type = step.With!.Value.GetProperty("type").GetString()!;
            var expression = type.IndexOf("${", StringComparison.Ordinal);
            return expression < 0 ? new Emitted(type, false) : new Emitted(type[..expression], true);
        }

        public bool MayMeet(EventTypePattern pattern)
        {
            if (!IsPrefix)
            {
                return pattern.Matches(Text);
            }

            var wanted = pattern.Text.TrimEnd('*');
            return pattern.Text.EndsWith('*')
                ? wanted.StartsWith(Text, StringComparison.Ordinal) || Text.StartsWith(wanted, StringComparison.Ordinal)
                : wanted.StartsWith(Text, StringComparison.Ordinal);
        }
    }
}
