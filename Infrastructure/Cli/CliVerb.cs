using System.CommandLine;

namespace Bellhop.Infrastructure.Cli;

/// <summary>A command of the program. The words it answers to, its options, and the request it sends.</summary>
/// <remarks>Found by its type, like endpoints and beats: a new one needs no line elsewhere.</remarks>
public abstract class CliVerb(string words, string summary)
{
    private readonly List<Symbol> _symbols = [];

    /// <summary>What is typed after the program's name: <c>api-keys create</c>.</summary>
    public string Words => words;

    /// <summary>One sentence for the help.</summary>
    public string Summary => summary;

    /// <summary>Whether <c>--project</c> says in which project it acts.</summary>
    public virtual bool TakesProject => false;

    /// <summary>Whether it is what happens when no words are given.</summary>
    public virtual bool IsDefault => false;

    internal IReadOnlyList<Symbol> Symbols => _symbols;

    /// <returns>One of <see cref="Configuration.ExitCodes"/>.</returns>
    public abstract Task<int> RunAsync(CliSession session, CancellationToken cancellationToken);

    protected void Add(params Symbol[] symbols) => _symbols.AddRange(symbols);
}
