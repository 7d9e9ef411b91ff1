namespace Bellhop.Tests.Support;

/// <summary>Where the sources that these tests were built from are.</summary>
public static class Checkout
{
    /// <summary>The directory that holds <c>Service.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>What <c>./dev setup</c> fetched is here, PostgreSQL's programs among it. Tests write nothing to it.</summary>
    public static string State { get; } =
        Environment.GetEnvironmentVariable("BELLHOP_STATE") ?? Path.Combine(Root, ".state");

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Service.slnx")))
        {
            directory = directory.Parent;
        }
        return directory?.FullName
            ?? throw new InvalidOperationException("The tests run outside of a checkout: no Service.slnx above them.");
    }
}
